import { sqlState } from '../postgres/connection.ts'
import type { Queue, RetryEntry } from '../queue/index.ts'
import type { Logger } from '../telemetry/logger.ts'

const TRIES = 3

/**
 * Hands jobs back to the queue without spending an attempt. Never rejects: what could not be handed back is found as lost. A heartbeat
 * that is under way locks the same rows in another order, and Postgres may end either of the two, so that is tried again.
 */
export async function release(queue: Queue, entries: readonly RetryEntry[], logger: Logger): Promise<void> {
  if (entries.length === 0) return
  for (let tries = 1; ; tries++) {
    try {
      return await queue.release(entries)
    } catch (err) {
      if (tries < TRIES && isConflict(err)) continue
      return logger.warn({ err, jobs: entries.map(({ claim }) => claim.jobId) }, 'jobs could not be handed back; they are found as lost')
    }
  }
}

/** 40: deadlock or serialization failure, 55P03: a lock was not to be had in time. The transaction is rolled back. */
function isConflict(error: unknown): boolean {
  return /^(40...|55P03)$/.test(sqlState(error) ?? '')
}
