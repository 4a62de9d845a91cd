import { count, roughAge } from './format.ts'

/** How many jobs waited at a moment. */
export interface Sample {
  readonly atMs: number
  readonly waiting: number
}

/** Long enough to be steady, short enough to see a mend. */
const WINDOW_MS = 120_000
/** Less than this tells nothing. */
const LEAST_MS = 8_000

/** Adds a sample and drops those that are too old. Samples are in order of time. */
export function sampled(samples: readonly Sample[], next: Sample): readonly Sample[] {
  return [...samples.filter(({ atMs }) => next.atMs - atMs <= WINDOW_MS && atMs < next.atMs), next]
}

/** By how many a minute the queue grows (or shrinks, below zero); null: not known yet. */
export function perMinute(samples: readonly Sample[]): number | null {
  const first = samples[0]
  const last = samples.at(-1)
  if (first === undefined || last === undefined || last.atMs - first.atMs < LEAST_MS) return null
  return ((last.waiting - first.waiting) / (last.atMs - first.atMs)) * 60_000
}

/** `growing 40/min`, `shrinking 1,200/min, empty in 3 min`; empty: nothing to tell. */
export function trendText(samples: readonly Sample[]): string {
  const change = perMinute(samples)
  const waiting = samples.at(-1)?.waiting ?? 0
  if (change === null || (waiting === 0 && change <= 0)) return ''
  const rate = Math.round(Math.abs(change))
  if (rate === 0) return 'steady'
  return change > 0 ? `growing ${count(rate)}/min` : `shrinking ${count(rate)}/min, empty in ${roughAge((waiting / -change) * 60)}`
}
