/**
 * When a sandbox may start again. Pure: the clock comes in as data.
 *
 *   closed ──crash──► closed, after a pause (0, 0.1 s, 0.2 s, … 30 s) ──6th in a row, or 30th in a minute──► open ──resume──► closed
 *      ▲                 │
 *      └────a job done───┘
 */
export interface Supervision {
  /** Crashes since a job was last done. */
  readonly failures: number
  /** When it crashed in the last minute, milliseconds since the epoch. */
  readonly recent: readonly number[]
  /** Milliseconds since the epoch; not started before. */
  readonly restartAt: number
  readonly circuit: 'closed' | 'open'
}

export type SupervisionEvent =
  { readonly type: 'crashed'; readonly now: number } | { readonly type: 'succeeded' } | { readonly type: 'resumed' }

export const CRASHES_IN_A_ROW = 6
export const CRASHES_A_MINUTE = 30
const MINUTE_MS = 60_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 30_000

export const INITIAL: Supervision = { failures: 0, recent: [], restartAt: 0, circuit: 'closed' }

export function evolve(state: Supervision, event: SupervisionEvent): Supervision {
  switch (event.type) {
    case 'crashed': {
      const failures = state.failures + 1
      const recent = [...state.recent.filter((at) => at > event.now - MINUTE_MS), event.now].slice(-CRASHES_A_MINUTE)
      // The first one restarts at once: most crashes come alone.
      const pause = failures === 1 ? 0 : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 2, 20))
      const opens = failures >= CRASHES_IN_A_ROW || recent.length >= CRASHES_A_MINUTE
      return { failures, recent, restartAt: event.now + pause, circuit: opens ? 'open' : state.circuit }
    }
    case 'succeeded':
      return state.failures === 0 || state.circuit === 'open' ? state : { ...state, failures: 0, restartAt: 0 }
    case 'resumed':
      return INITIAL
  }
}
