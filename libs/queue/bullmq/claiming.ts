import { randomUUID } from 'node:crypto'
import type { JobId, PluginName } from '../../event-log/ids.ts'
import { findJobs } from '../../event-log/jobs-table.ts'
import type { Sql } from '../../postgres/sql.ts'
import type { Claim } from '../port.ts'
import type { Bounded } from './bounded.ts'
import type { HeldJob, HeldJobs } from './held-jobs.ts'
import { recover } from './lost.ts'
import type { PluginQueue, PutBack } from './plugin-queue.ts'
import { Prefetched } from './prefetched.ts'
import type { HeldByToken } from './prefetched.ts'

/** One round trip asks for at most so many jobs. */
const LARGEST_CHUNK = 500
/** After so many claims in a row that found all they asked for, acknowledgements bring the next jobs along. */
const BUSY_AFTER = 2

/** How jobs leave the queue, in both directions: into the hands of this process, and away once their outcome is recorded. */
export interface Claiming {
  /** `total`: no more of the plugin's jobs than that are held over all processes. */
  claim(queue: PluginQueue, limit: number, total?: number): Promise<Claim[]>
  /** Takes held jobs off the queue. True: jobs came along, so a claim now finds some. */
  finish(queue: PluginQueue, done: readonly HeldJob[]): Promise<boolean>
  /** Puts back what came along and nobody has claimed. */
  stop(): Promise<void>
}

export interface ClaimingOptions {
  readonly bounded: Bounded
  /** Tells of a job whose holder went silent whether its outcome was recorded all the same. */
  readonly database: Sql
  readonly held: HeldJobs
  /** Called with jobs that came along but nobody claimed. Never rejects. */
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
  /** How many jobs the next claim of a plugin may expect to find: a command that finds none is one too many. */
  const expected = new Map<PluginName, number>()
  /** How many claims in a row found as many jobs as they asked for. */
  const streaks = new Map<PluginName, number>()
  const prefetched = new Prefetched((plugin, jobs) => giveBack(plugin, unclaimed(jobs)))

  async function ask(queue: PluginQueue, limit: number): Promise<readonly HeldByToken[]> {
    const found: HeldByToken[] = []
    while (found.length < limit) {
      const size = Math.min(expected.get(queue.plugin) ?? 1, limit - found.length, LARGEST_CHUNK)
      const answers = await Promise.allSettled(
        Array.from({ length: size }, async () => {
          const token = `${me}:${++tokens}`
          const taken = await queue.take(token)
          return taken === undefined ? [] : [{ ...taken, token }]
        }),
      )
      const taken = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
      found.push(...taken)
      const failed = answers.find((answer) => answer.status === 'rejected')
      // What was handed out before the connection broke is ours.
      if (failed !== undefined && found.length === 0) {
        if (isOutOfMemory(failed.reason)) await makeRoom(queue)
        throw failed.reason
      }
      expected.set(queue.plugin, taken.length === size ? Math.min(size * 2, LARGEST_CHUNK) : Math.max(1, taken.length))
      if (failed !== undefined || taken.length < size) break
    }
    return found
  }

  /** Jobs whose holder went silent: which of them are lost, and which only seem so. */
  async function judge(queue: PluginQueue, taken: readonly HeldByToken[]): Promise<Claim[]> {
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
      const { plugin } = queue
      bounded.note(plugin, total)
      if (total !== undefined) {
        const { taken, sure } = await bounded.take(queue, limit, total, (room) => ask(queue, room))
        if (sure) return judge(queue, taken)
        await giveBack(plugin, unclaimed(taken))
        return []
      }
      const along = prefetched.take(plugin, limit)
      // Without asking for the rest, as many jobs as came along would be all that ever run at the same time.
      const taken = along.length < limit ? [...along, ...(await ask(queue, limit - along.length))] : along
      streaks.set(plugin, taken.length >= limit ? (streaks.get(plugin) ?? 0) + 1 : 0)
      return judge(queue, taken)
    },

    async finish(queue, done) {
      const { plugin } = queue
      const bring = !bounded.isBounded(plugin) && (streaks.get(plugin) ?? 0) >= BUSY_AFTER
      const answers = await Promise.allSettled(
        done.map(async ({ jobId, token }) => {
          const finished = await queue.finish(jobId, token, bring)
          // The lock had run out and the job may wait again: it is over all the same.
          if (finished.kind === 'not held') await queue.remove([jobId])
          return finished.kind === 'done' && finished.next !== undefined ? [{ ...finished.next, token }] : []
        }),
      )
      const along = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
      prefetched.add(plugin, along)
      const failed = answers.find((answer) => answer.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      return along.length > 0
    },

    stop: () => prefetched.stop(),
  }
}

function unclaimed(jobs: readonly HeldByToken[]): PutBack[] {
  return (
    jobs
      // One that was lost before is left to be found again: put back, it would count as never lost.
      .filter((job) => job.stalls === 0)
      .map(({ token, jobId, priority, attempts }) => ({ token, pointer: { jobId, priority, runAt: null, attempts } }))
  )
}
