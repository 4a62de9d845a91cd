/**
 * BullMQ runs lower numbers first, and 0 or none before everything: ours (0–100, higher first) become 101–1. Pure.
 */
export function bullPriority(priority: number): number {
  return 101 - Math.min(100, Math.max(0, priority))
}

export function ownPriority(bull: number): number {
  return 101 - bull
}

/** BullMQ's score of a waiting job: its priority times this, plus a counter that begins anew whenever the queue is empty. */
const PRIORITY_SCALE = 0x100000000

const HALF = PRIORITY_SCALE / 2
/** Ages are told from here on, in milliseconds. */
const EPOCH = Date.UTC(2020, 0, 1)
/** Milliseconds in one step of the score: as fine as a double can tell at this size, and enough for 500 years. */
const STEP_MS = 0x2000

/**
 * The score of a job that is put back after Redis lost its data: before all that are added in the ordinary way with its priority, which came
 * later, and among those put back in the order of the requests, whoever puts back which first. It is in the upper half of the counter of the
 * priority before, which no queue reaches. Pure.
 */
export function restoredScore(priority: number, requestedAt: number): number {
  return lowestScore(bullPriority(priority)) + (requestedAt - EPOCH) / STEP_MS
}

/** Where the scores of a priority begin, as BullMQ's number. */
export function lowestScore(bull: number): number {
  return bull * PRIORITY_SCALE - HALF
}

/** The priority that a score stands for, as BullMQ's number. */
export function scoredPriority(score: number): number {
  return Math.floor((score + HALF) / PRIORITY_SCALE)
}
