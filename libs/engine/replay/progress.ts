import type { LeftOut, ReplayProgress } from './port.ts'

/** Every reason, for who adds them up. */
export const LEFT_OUT = [
  'already_succeeded',
  'superseded',
  'under_way',
  'unhandled',
  'unsafe',
  'invalid',
] as const satisfies readonly LeftOut[]

/** Jobs of a replay by what became of them. */
export interface JobCounts {
  readonly live: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
}

export interface ProgressInput {
  readonly total: number
  readonly enqueued: number
  readonly leftOut: Readonly<Partial<Record<LeftOut, number>>>
  /** The last item has been looked at. */
  readonly selected: boolean
  /** It ended: nothing more is enqueued. */
  readonly ended: boolean
  readonly ratePerSecond: number | null
  /** Milliseconds since it was started. */
  readonly elapsedMs: number
  readonly counts: JobCounts
}

/** Pure. */
export function progressOf(input: ProgressInput): ReplayProgress {
  const { counts, enqueued, leftOut, total } = input
  const looked = enqueued + Object.values(leftOut).reduce((sum, n) => sum + n, 0)
  // Items of an event's replay have several receivers, and retention may take jobs away: the total is where it began.
  const remaining = input.selected || input.ended ? 0 : Math.max(0, total - looked)
  return {
    total,
    enqueued,
    queued: counts.live,
    succeeded: counts.succeeded,
    failed: counts.failed,
    cancelled: counts.cancelled,
    leftOut,
    remaining,
    etaSeconds: etaSeconds(input, remaining),
  }
}

function etaSeconds(input: ProgressInput, remaining: number): number | null {
  const { live, succeeded, failed, cancelled } = input.counts
  const open = remaining + live
  if (open === 0 || (input.ended && live === 0)) return null
  const finished = succeeded + failed + cancelled
  if (finished === 0 || input.elapsedMs <= 0) return null
  const byOutcome = open / (finished / (input.elapsedMs / 1000))
  const byRate = input.ratePerSecond === null ? 0 : remaining / input.ratePerSecond
  return Math.ceil(Math.max(byOutcome, byRate))
}

/** A share of fewer says little. */
export const FEWEST_TO_JUDGE = 20

/** Whether more than the given share of the finished jobs failed. */
export function failsTooOften(counts: JobCounts, stopAtFailures: number | null): boolean {
  const judged = counts.succeeded + counts.failed
  return stopAtFailures !== null && judged >= FEWEST_TO_JUDGE && counts.failed / judged > stopAtFailures
}
