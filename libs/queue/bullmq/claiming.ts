import { randomUUID } from 'node:crypto'
import type { JobId, PluginName } from '../../event-log/ids.ts'
import { findJobs } from '../../event-log/jobs-table.ts'
import type { Sql } from '../../postgres/sql.ts'
import type { Claim } from '../port.ts'
import type { HeldJob, HeldJobs } from './held-jobs.ts'
import { recover } from './lost.ts'
import type { PluginQueue } from './plugin-queue.ts'
import { Rides } from './rides.ts'
import type { HeldByToken } from './rides.ts'

/** One round trip asks for at most so many jobs. */
const LARGEST_CHUNK = 500

/** How jobs leave the queue, in both directions: into the hands of this process, and away once their outcome is recorded. */
export interface Claiming {
  claim(queue: PluginQueue, limit: number): Promise<Claim[]>
  /** Outcomes of these are about to commit. */
  expect(claims: readonly Claim[]): void
  /** Takes held jobs off the queue; claims that wait get the next ones. True: there seem to be more. */
  finish(queue: PluginQueue, done: readonly HeldJob[]): Promise<boolean>
  stop(): void
}

/** `database`: tells of a job whose holder went silent whether its outcome was recorded all the same. */
export function createClaiming(database: Sql, held: HeldJobs): Claiming {
  const rides = new Rides()
  const me = randomUUID()
  let tokens = 0
  /** How many jobs the next claim of a plugin may expect to find: a command that finds none is one too many. */
  const expected = new Map<PluginName, number>()
  /** Plugins whose last claim found as many jobs as it asked for. */
  const busy = new Set<PluginName>()

  async function ask(queue: PluginQueue, limit: number): Promise<readonly HeldByToken[]> {
    const found: HeldByToken[] = []
    for (;;) {
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
      if (failed !== undefined && found.length === 0) throw failed.reason
      expected.set(queue.plugin, taken.length === size ? Math.min(size * 2, LARGEST_CHUNK) : Math.max(1, taken.length))
      if (failed !== undefined || taken.length < size || found.length >= limit) return found
    }
  }

  /** Jobs whose holder went silent: which of them are lost, and which only seem so. */
  async function judge(queue: PluginQueue, taken: readonly HeldByToken[]): Promise<Claim[]> {
    const now = Date.now()
    const suspects = taken.filter((job) => job.stalls > 0)
    const stored = suspects.length === 0 ? new Map<JobId, never>() : new Map((await findJobs(database, suspects.map((job) => job.jobId))).map((job) => [job.id, job]))
    const claims: Claim[] = []
    const early: { token: string; pointer: { jobId: JobId; priority: number; runAt: number; attempts: number } }[] = []
    for (const job of taken) {
      const row = stored.get(job.jobId)
      const recovery = recover(job, row, now)
      if (recovery.kind === 'put back') {
        early.push({ token: job.token, pointer: { jobId: job.jobId, priority: row?.priority ?? 50, runAt: recovery.runAt, attempts: recovery.attempts } })
        continue
      }
      held.add({ jobId: job.jobId, plugin: queue.plugin, token: job.token, attempts: recovery.attempts }, now)
      claims.push({ jobId: job.jobId, plugin: queue.plugin, lost: recovery.lost })
    }
    if (early.length > 0) await queue.putBack(early)
    return claims
  }

  return {
    async claim(queue, limit) {
      const { plugin } = queue
      const rode = busy.has(plugin) && rides.isExpected(plugin)
      const brought = rode ? await rides.wait(plugin, limit) : []
      const taken = brought.length > 0 ? brought : await ask(queue, limit)
      if (taken.length >= limit || brought.length > 0) busy.add(plugin)
      else busy.delete(plugin)
      return judge(queue, taken)
    },

    expect(claims) {
      for (const [plugin, own] of Map.groupBy(claims, (claim) => claim.plugin)) rides.expect(plugin, own.length)
    },

    async finish(queue, done) {
      const { plugin } = queue
      rides.arrived(plugin, done.length)
      const served: { ride: ReturnType<Rides['next']>; jobs: HeldByToken[] }[] = []
      const riders: (typeof served)[number][] = []
      while (riders.length < done.length) {
        const ride = rides.next(plugin)
        if (ride === undefined) break
        const one = { ride, jobs: [] }
        served.push(one)
        for (let seat = 0; seat < ride.wanted && riders.length < done.length; seat++) riders.push(one)
      }
      const answers = await Promise.allSettled(
        done.map(async ({ jobId, token }, index) => {
          const rider = riders[index]
          const finished = await queue.finish(jobId, token, rider !== undefined)
          const next = finished.kind === 'done' ? finished.next : undefined
          if (next !== undefined) rider?.jobs.push({ ...next, token })
        }),
      )
      const more = served.length > 0 && served.every(({ ride, jobs }) => jobs.length > 0 && ride !== undefined)
      for (const { ride, jobs } of served) ride?.deliver(jobs)
      const failed = answers.find((answer) => answer.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      return more
    },

    stop: () => rides.stop(),
  }
}
