import { randomUUID } from 'node:crypto'
import type { JobId, PluginName } from '../../event-log/ids.ts'
import { findJobs } from '../../event-log/jobs-table.ts'
import type { Sql } from '../../postgres/sql.ts'
import type { Claim } from '../port.ts'
import type { Bounded } from './bounded.ts'
import type { HeldJob, HeldJobs } from './held-jobs.ts'
import { recover } from './lost.ts'
import { LARGEST_BATCH } from './batch-scripts.ts'
import type { PluginQueue, PutBack, TakenByToken } from './plugin-queue.ts'

/** How jobs leave the queue, in both directions: into the hands of this process, and away once their outcome is recorded. */
export interface Claiming {
  /** `total`: no more of the plugin's jobs than that are held over all processes. */
  claim(queue: PluginQueue, limit: number, total?: number): Promise<Claim[]>
  /** Takes held jobs off the queue. */
  finish(queue: PluginQueue, done: readonly HeldJob[]): Promise<void>
}

export interface ClaimingOptions {
  readonly bounded: Bounded
  /** Tells of a job whose holder went silent whether its outcome was recorded all the same. */
  readonly database: Sql
  readonly held: HeldJobs
  /** Called with jobs that were taken but may not run now. Never rejects. */
  readonly giveBack: (plugin: PluginName, jobs: readonly PutBack[]) => Promise<void>
  /** Called when Redis has no memory left for a claim. */
  readonly makeRoom: (queue: PluginQueue) => Promise<void>
}

/** Redis refuses every script that begins with a write that may need memory: claims among them, acknowledgements not. */
function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('OOM')
}

export function createClaiming({ database, bounded, held, giveBack, makeRoom }: ClaimingOptions): Claiming {
  const me = randomUUID()
  let tokens = 0

  async function take(queue: PluginQueue, limit: number): Promise<TakenByToken[]> {
    const token = `${me}:${++tokens}`
    const found: TakenByToken[] = []
    try {
      while (found.length < limit) {
        const size = Math.min(limit - found.length, LARGEST_BATCH)
        const taken = await queue.take(token, size)
        found.push(...taken)
        if (taken.length < size) break
      }
    } catch (error) {
      // What was handed out before the connection broke is ours.
      if (found.length === 0) {
        if (isOutOfMemory(error)) await makeRoom(queue)
        throw error
      }
    }
    return found
  }

  /** Jobs whose holder went silent: which of them are lost, and which only seem so. */
  async function judge(queue: PluginQueue, taken: readonly TakenByToken[]): Promise<Claim[]> {
    const now = Date.now()
    const suspects = taken.filter((job) => job.stalls > 0).map((job) => job.jobId)
    const stored = new Map((await findJobs(database, suspects)).map((job): [JobId, typeof job] => [job.id, job]))
    const claims: Claim[] = []
    const early: PutBack[] = []
    for (const { jobId, token, priority, ...rest } of taken) {
      const recovery = recover({ jobId, priority, ...rest }, stored.get(jobId), now)
      if (recovery.kind === 'put back') {
        early.push({ token, pointer: { jobId, priority, runAt: recovery.runAt, attempts: recovery.attempts } })
        continue
      }
      held.add({ jobId, plugin: queue.plugin, token, attempts: recovery.attempts }, now)
      claims.push({ jobId, plugin: queue.plugin, lost: recovery.lost })
    }
    if (early.length > 0) await queue.putBack(early)
    return claims
  }

  return {
    async claim(queue, limit, total) {
      bounded.note(queue.plugin, total)
      if (total === undefined) return judge(queue, await take(queue, limit))
      const { taken, sure } = await bounded.take(queue, limit, total, (room) => take(queue, room))
      if (sure) return judge(queue, taken)
      await giveBack(queue.plugin, unclaimed(taken))
      return []
    },

    async finish(queue, done) {
      const notHeld = await queue.finish(done)
      // The lock had run out and the job may wait again: it is over all the same.
      if (notHeld.length > 0) await queue.remove(notHeld)
    },
  }
}

function unclaimed(jobs: readonly TakenByToken[]): PutBack[] {
  return (
    jobs
      // One that was lost before is left to be found again: put back, it would count as never lost.
      .filter((job) => job.stalls === 0)
      .map(({ token, jobId, priority, attempts }) => ({ token, pointer: { jobId, priority, runAt: null, attempts } }))
  )
}
