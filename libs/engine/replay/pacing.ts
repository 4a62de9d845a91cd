/** Where a paced replay stands: the time, in milliseconds, up to which its rate is used up. */
export type Pace = number

/** How far behind its rate a replay may catch up: a pause or another leader must not end in a burst. At least two items, or a slow one never starts. */
const catchUpMs = (ratePerSecond: number) => Math.max(1_000, 2_000 / ratePerSecond)

/** How many items may be enqueued now. Pure. `null`: no limit. */
export function allowance(pace: Pace, ratePerSecond: number | null, now: number, most: number): number {
  if (ratePerSecond === null) return most
  const from = Math.max(pace, now - catchUpMs(ratePerSecond))
  return Math.min(most, Math.max(0, Math.floor(((now - from) * ratePerSecond) / 1000)))
}

/** The pace after `taken` items. */
export function paceAfter(pace: Pace, ratePerSecond: number | null, now: number, taken: number): Pace {
  if (ratePerSecond === null) return pace
  return Math.max(pace, now - catchUpMs(ratePerSecond)) + (taken * 1000) / ratePerSecond
}

/** In how many milliseconds the next item, or at a high rate the next handful, may go; at least 1. */
export function nextTurnMs(pace: Pace, ratePerSecond: number | null, now: number): number {
  if (ratePerSecond === null) return 1
  // A turn costs a transaction: not more than ten a second.
  return Math.max(1, Math.ceil(pace + Math.max(100, 1000 / ratePerSecond) - now))
}
