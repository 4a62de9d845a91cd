/**
 * The generic cell rate algorithm (ITU-T I.371) as a virtual schedule: one number, the theoretical arrival time (TAT) of the next
 * call, says how many calls are allowed now. `calls` may come at once after a pause of `periodSeconds`; over any longer time the
 * rate is calls / period. rate-tokens.ts does the same in SQL on a row that all processes share; a test holds the two equal.
 */
export interface RateLimit {
  readonly calls: number
  readonly periodSeconds: number
}

export interface Take {
  /** The new TAT, milliseconds since the epoch. */
  readonly tat: number
  readonly granted: number
  /** When at least one more will be granted, in milliseconds from now; 0: now. */
  readonly retryAfterMs: number
}

/** Below the microsecond that Postgres keeps: a call that is due must not fail because the TAT was rounded. */
const SLACK_MS = 0.00075

/** Pure: takes up to `wanted` tokens at time `now`. */
export function take(limit: RateLimit, tat: number, now: number, wanted: number): Take {
  const period = limit.periodSeconds * 1000
  const interval = period / limit.calls
  const base = Math.max(tat, now)
  const room = Math.floor((now + period - base + SLACK_MS) / interval)
  const granted = Math.max(0, Math.min(wanted, room))
  const next = granted > 0 ? base + granted * interval : tat
  const retryAfterMs = Math.max(0, Math.max(next, now) + interval - (now + period))
  return { tat: next, granted, retryAfterMs }
}
