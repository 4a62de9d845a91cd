import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { lowestIdAt } from '../../event-log/ids.ts'
import type { JobId, PluginName } from '../../event-log/ids.ts'
import type { Database } from '../../postgres/sql.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { scanRequested, scanWatched, stillLive } from './live-jobs.ts'
import type { LiveJob } from './live-jobs.ts'
import type { BullmqQueue } from './queue.ts'
import { hasRoom } from './memory-room.ts'
import { MARK } from './reads.ts'
import { declaredQueues } from './registry.ts'

export interface ReconcilerOptions {
  readonly database: Database
  readonly queue: BullmqQueue
  readonly logger: Logger
  /** How often new requests are looked through. Milliseconds. Default 2,000. */
  readonly roundMs?: number
  /** How often all live jobs are compared with Redis although nothing points to a loss. Milliseconds. Default 60,000. */
  readonly auditMs?: number
  /** How long the holders of jobs have to tell a Redis that lost its data what they hold. Milliseconds. Default 1,500. */
  readonly holdersMs?: number
  /** Called with how many jobs of a plugin were put on the queue again. */
  readonly onRestored?: (plugin: PluginName, jobs: number) => void
}

/** A request is looked at when it is that old: by then it is committed, and its own process has put it on the queue. */
const GRACE_MS = 2_000
/** Looked at once more, for transactions that took long to commit and for clocks that are behind. */
const LATE_MS = 5 * 60_000
const BATCH = 1_000

/**
 * Postgres says which jobs are live; those that Redis does not hold are added under the same id, so none is there twice. One process
 * does it for all (the caller elects it), until `signal` aborts.
 *
 * - New requests are compared once, a few seconds after they came: their process may have died between the commit and Redis.
 * - A Redis without its mark is new, was flushed or came back empty: all live jobs are compared at once.
 * - After each reconnection and once a minute all are compared: a failover may have lost the last second.
 */
export async function runReconciler(options: ReconcilerOptions, signal: AbortSignal): Promise<void> {
  const { database, queue, logger } = options
  const { client } = queue
  let reconnected = true
  const onReady = () => {
    reconnected = true
  }
  client.on('ready', onReady)
  let auditAt = 0
  let lateAt = 0
  let troubled = false
  try {
    while (!signal.aborted) {
      const started = Date.now()
      try {
        if (client.status !== 'ready') continue
        if (await hasRoom(client)) await round(started)
        else logger.warn('Redis is nearly out of memory: jobs that it does not hold wait in Postgres; raise its maxmemory')
        troubled = false
      } catch (err) {
        if (!signal.aborted)
          logger[troubled ? 'debug' : 'warn']({ err }, 'comparing the queue with the jobs table failed; it is tried again')
        troubled = true
      } finally {
        await delay(options.roundMs ?? 2_000, undefined, { signal }).catch(() => {})
      }
    }
  } finally {
    client.off('ready', onReady)
  }

  async function round(now: number): Promise<void> {
    const plugins = await declaredQueues(database)
    const marks = await Promise.all(plugins.map((plugin) => client.hget(queue.queueOf(plugin).key('meta'), MARK)))
    const empty = plugins.filter((_, index) => marks[index] === null)
    if (empty.length > 0) await refill(empty)
    await scanRequested(database, 'requested', lowestIdAt(now - GRACE_MS), (live) => compare(live), signal)
    if (now >= lateAt) {
      await scanRequested(database, 'late', lowestIdAt(now - LATE_MS), (live) => compare(live), signal)
      lateAt = now + 60_000
    }
    if (reconnected || now >= auditAt) {
      reconnected = false
      await scanWatched(database, null, (live) => compare(live), signal)
      // A long list is gone through less often: it must not take more than a twentieth of the time.
      auditAt = Date.now() + Math.max(options.auditMs ?? 60_000, 20 * (Date.now() - now))
    }
  }

  async function refill(plugins: readonly PluginName[]): Promise<void> {
    const settings = plugins.map((plugin) => queue.queueOf(plugin))
    await Promise.all(settings.map((each) => each.declare()))
    await delay(options.holdersMs ?? 1_500, undefined, { signal })
    const started = performance.now()
    let jobs = 0
    await scanWatched(database, plugins, async (live) => void (jobs += await compare(live, true)), signal)
    await Promise.all(settings.map((each) => client.hset(each.key('meta'), MARK, randomUUID())))
    if (jobs > 0)
      logger.warn(
        { jobs, plugins, seconds: (performance.now() - started) / 1000 },
        'Redis had no data of these plugins: their live jobs were put on the queue again',
      )
  }

  /** Adds those that Redis does not hold; returns how many. */
  async function compare(live: readonly LiveJob[], refilling = false): Promise<number> {
    let added = 0
    for (const [plugin, own] of Map.groupBy(live, (job) => job.plugin)) {
      const bull = queue.queueOf(plugin)
      const missing: JobId[] = []
      for (let at = 0; at < own.length; at += BATCH)
        missing.push(...(await bull.missing(own.slice(at, at + BATCH).map((job) => job.jobId))))
      if (missing.length === 0) continue
      // Lost in the middle of a comparison: what is added from here on would run before what is older.
      if (!refilling && (await client.hget(bull.key('meta'), MARK)) === null) throw new Error('Redis has lost its data meanwhile')
      let restored = 0
      // What has finished meanwhile was rightly taken off. While one batch is added, the next is looked at.
      let next = stillLive(database, missing.slice(0, BATCH))
      for (let at = 0; at < missing.length; at += BATCH) {
        signal.throwIfAborted()
        const batch = await next
        next = stillLive(database, missing.slice(at + BATCH, at + 2 * BATCH))
        next.catch(() => {})
        if (!(await hasRoom(client))) throw new Error('Redis is nearly out of memory; what it does not hold waits in Postgres')
        await bull.add(batch)
        restored += batch.length
        queue.announce([plugin])
      }
      if (restored === 0) continue
      options.onRestored?.(plugin, restored)
      logger.info({ plugin, jobs: restored }, 'jobs that Redis did not hold were put on the queue again')
      added += restored
    }
    return added
  }
}
