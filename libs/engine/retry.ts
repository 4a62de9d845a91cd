import type { RetryPolicy } from './plugin-port.ts'

/**
 * Exponential backoff with full jitter: uniform in [0, min(max, base · 2^(attempt−1))] seconds after attempt number `attempt`.
 * Full jitter spreads a crowd that failed together (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 * Pure: `random` is in [0, 1).
 */
export function retryDelaySeconds(policy: RetryPolicy, attempt: number, random: number): number {
  const ceiling = Math.min(policy.maxBackoffSeconds, policy.backoffSeconds * 2 ** Math.min(attempt - 1, 60))
  return random * ceiling
}
