import type { RedisClient } from '../../redis/client.ts'
import type { HeldJob } from './held-jobs.ts'
import { bullPriority } from './priority.ts'
import type { PluginQueue } from './plugin-queue.ts'

// KEYS: the job, the active list, the job's lock. ARGV: id, token, lock in ms, attempts, priority, now.
// The fields and the list are those of BullMQ's moveToActive and storeJob.
const RESTORE_HELD = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'name', 'job', 'data', ARGV[4], 'opts', '{}', 'timestamp', ARGV[6], 'delay', 0, 'priority', ARGV[5], 'processedOn', ARGV[6])
redis.call('LPUSH', KEYS[2], ARGV[1])
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
return 1`

/**
 * Tells a Redis that lost its data what this process holds, so that nobody else is given it. A job that Redis knows is left alone.
 * Returns how many were restored.
 */
export async function restoreHeld(client: RedisClient, queue: PluginQueue, held: readonly HeldJob[], lockMs: number): Promise<number> {
  const now = Date.now()
  const answers = await Promise.all(
    held.map(({ jobId, token, attempts }) => {
      const job = queue.key(jobId)
      return client.eval(RESTORE_HELD, 3, job, queue.key('active'), `${job}:lock`, jobId, token, lockMs, attempts, bullPriority(50), now)
    }),
  )
  return answers.filter((answer) => answer === 1).length
}
