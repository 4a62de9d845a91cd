/** What a state means to somebody in a hurry; also the class of its badge. */
export type Tone = 'good' | 'bad' | 'warn' | 'busy' | 'quiet'

const TONES: Readonly<Record<string, Tone>> = {
  // jobs
  scheduled: 'quiet',
  queued: 'quiet',
  active: 'busy',
  retrying: 'warn',
  succeeded: 'good',
  failed: 'bad',
  dead: 'bad',
  cancelled: 'quiet',
  // plugins and sandboxes
  discovered: 'quiet',
  loading: 'busy',
  ready: 'good',
  draining: 'busy',
  unloaded: 'warn',
  paused: 'warn',
  starting: 'busy',
  suspended: 'bad',
  // replays
  running: 'busy',
  completed: 'good',
  stopped: 'bad',
}

export function toneOf(state: string): Tone {
  return Object.hasOwn(TONES, state) ? (TONES[state] ?? 'quiet') : 'quiet'
}

const FINISHED: readonly string[] = ['succeeded', 'failed', 'dead', 'cancelled']

/** Whether a job in this state can be replayed; else it can be cancelled. */
export function isFinished(state: string): boolean {
  return FINISHED.includes(state)
}
