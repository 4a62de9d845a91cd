import type { StoredJob } from '../../event-log/job-state.ts'
import { isTerminal } from '../../event-log/job.ts'
import type { Taken } from './plugin-queue.ts'

/** What to do with a job that BullMQ handed out after a holder of it went silent. */
export type Recovery =
  /** `attempts`: how many have ended by now. */
  | { readonly kind: 'run'; readonly lost: boolean; readonly attempts: number }
  /** The outcome was recorded, only Redis did not hear of it, and the next attempt is not due yet. */
  | { readonly kind: 'put back'; readonly runAt: number; readonly attempts: number }

/**
 * Outcomes commit in Postgres before Redis hears of them, so a holder that dies in between leaves a job that looks lost but is not.
 * A job that was put on the queue after `attempts` had ended and was then lost for the k-th time has seen `attempts + k` ends once
 * all of them are recorded: one fewer means that the last loss is still to be recorded. Pure.
 */
export function recover(taken: Taken, stored: StoredJob | undefined, now: number): Recovery {
  const ended = taken.attempts + taken.stalls
  if (taken.stalls === 0) return { kind: 'run', lost: false, attempts: stored?.attempt ?? taken.attempts }
  if (stored === undefined) return { kind: 'run', lost: true, attempts: ended }
  if (isTerminal(stored.state)) return { kind: 'run', lost: false, attempts: stored.attempt }
  if (stored.attempt < ended) return { kind: 'run', lost: true, attempts: stored.attempt + 1 }
  if (stored.runAt.getTime() > now) return { kind: 'put back', runAt: stored.runAt.getTime(), attempts: stored.attempt }
  return { kind: 'run', lost: false, attempts: stored.attempt }
}
