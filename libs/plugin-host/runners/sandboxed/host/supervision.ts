/**
 * When a sandbox may start again. Pure: the clock comes in as data.
 *
 *   closed ──crash──► backing off (0, 0.1 s, 0.2 s, … 30 s) ──crash no. 8 in a row──► open ──resume──► closed
 *      ▲                 │
 *      └────a job done───┘
 */
export interface Supervision {
  /** Crashes since a job was last done. */
  readonly failures: number
  /** Milliseconds since the epoch; not started before. */
  readonly restartAt: number
  readonly circuit: 'closed' | 'open'
}

export type SupervisionEvent =
  { readonly type: 'crashed'; readonly now: number } | { readonly type: 'succeeded' } | { readonly type: 'resumed' }

export const CRASHES_UNTIL_OPEN = 8
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 30_000

export const INITIAL: Supervision = { failures: 0, restartAt: 0, circuit: 'closed' }

export function evolve(state: Supervision, event: SupervisionEvent): Supervision {
  switch (event.type) {
    case 'crashed': {
      const failures = state.failures + 1
      // The first one restarts at once: most crashes come alone.
      const pause = failures === 1 ? 0 : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 2))
      return { failures, restartAt: event.now + pause, circuit: failures >= CRASHES_UNTIL_OPEN ? 'open' : state.circuit }
    }
    case 'succeeded':
      return state.failures === 0 || state.circuit === 'open' ? state : INITIAL
    case 'resumed':
      return INITIAL
  }
}
