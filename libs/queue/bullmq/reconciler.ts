import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { lowestIdAt, timeOf } from '../../event-log/ids.ts'
import type { JobId, PluginName } from '../../event-log/ids.ts'
import type { Database } from '../../postgres/sql.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { scanRequested, scanWatched, stillLive } from './live-jobs.ts'
import type { LiveJob } from './live-jobs.ts'
import type { BullmqQueue } from './queue.ts'
import { hasRoom } from './memory-room.ts'
import { MARK, SHED } from './reads.ts'
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

/** Beside the mark: gone with the data when they are lost while the queue is filled. */
const REFILLING = 'xcore.refilling'
// KEYS: the meta hash. ARGV: the field while it is filled, its value, the field of the mark.
const SET_MARK = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[3], ARGV[2])
return 1`

/**
 * Postgres says which jobs are live; those that Redis does not hold are added under the same id, so none is there twice. One process
 * does it for all (the caller elects it), until `signal` aborts.
 *
 * - New requests are compared once, a few seconds after they came: their process may have died between the commit and Redis.
 * - A Redis without its mark is new, was flushed or came back empty: all live jobs are compared at once.
 * - After each reconnection, after jobs made room for others and once a minute all are compared: a failover may have lost the last second.
 */
export async function runReconciler(options: ReconcilerOptions, signal: AbortSignal): Promise<void> {
  const { database, queue, logger } = options
  const { client } = queue
  /** How often a comparison of all was asked for, and which of these has been carried out. */
  let asked = 1
  let answered = 0
  const onReady = () => {
    asked++
  }
  client.on('ready', onReady)
  let auditAt = 0
  let lateAt = 0
  let troubled = false
  /** Plugins that are being filled, and until when what they held was lost. */
  const filling = new Set<PluginName>()
  const lostUntil = new Map<PluginName, number>()
  try {
    while (!signal.aborted) {
      const started = Date.now()
      try {
        if (client.status !== 'ready') continue
        if (await hasRoom(client)) await round(started)
        else {
          logger.warn('Redis is nearly out of memory: jobs that it does not hold wait in Postgres; raise its maxmemory')
          // Jobs may have made room for others, and Redis had none to remember that.
          asked++
        }
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
    const metas = plugins.map((plugin) => queue.queueOf(plugin).key('meta'))
    const marks = await Promise.all(metas.map((meta) => client.hmget(meta, MARK, SHED)))
    const shed = metas.filter((_, index) => marks[index]?.[1] !== null)
    if (shed.length > 0) {
      await Promise.all(shed.map((meta) => client.hdel(meta, SHED)))
      asked++
    }
    const empty = plugins.filter((_, index) => marks[index]?.[0] === null)
    if (empty.length > 0) await refill(empty)
    await scanRequested(database, 'requested', lowestIdAt(now - GRACE_MS), (live) => compare(live), signal)
    if (now >= lateAt) {
      await scanRequested(database, 'late', lowestIdAt(now - LATE_MS), (live) => compare(live), signal)
      lateAt = now + 60_000
    }
    if (answered < asked || now >= auditAt) {
      const answering = asked
      await scanWatched(database, null, (live) => compare(live), signal)
      answered = answering
      // A long list is gone through less often: it must not take more than a twentieth of the time.
      auditAt = Date.now() + Math.max(options.auditMs ?? 60_000, 20 * (Date.now() - now))
    }
  }

  async function refill(plugins: readonly PluginName[]): Promise<void> {
    const settings = plugins.map((plugin) => queue.queueOf(plugin))
    await Promise.all(settings.map((each) => each.declare()))
    await delay(options.holdersMs ?? 1_500, undefined, { signal })
    const started = performance.now()
    const mark = randomUUID()
    await Promise.all(settings.map((each) => client.hset(each.key('meta'), REFILLING, mark)))
    for (const plugin of plugins) {
      filling.add(plugin)
      lostUntil.set(plugin, Date.now())
    }
    let jobs = 0
    const fill = async (live: readonly LiveJob[]) => void (jobs += await compare(live))
    try {
      await scanWatched(database, plugins, fill, signal)
      await scanRequested(database, 'requested', lowestIdAt(Date.now() - GRACE_MS), fill, signal)
    } finally {
      filling.clear()
    }
    const marked = await Promise.all(settings.map((each) => client.eval(SET_MARK, 1, each.key('meta'), REFILLING, mark, MARK)))
    if (marked.some((set) => set !== 1)) throw new Error('Redis has lost its data while it was filled; it is filled again')
    if (jobs > 0)
      logger.warn(
        { jobs, plugins, seconds: (performance.now() - started) / 1000 },
        'Redis had no data of these plugins: their live jobs were put on the queue again',
      )
  }

  /** Adds those that Redis does not hold; returns how many. */
  async function compare(live: readonly LiveJob[]): Promise<number> {
    let added = 0
    for (const [plugin, own] of Map.groupBy(live, (job) => job.plugin)) {
      const bull = queue.queueOf(plugin)
      const missing: JobId[] = []
      for (let at = 0; at < own.length; at += BATCH)
        missing.push(...(await bull.missing(own.slice(at, at + BATCH).map((job) => job.jobId))))
      if (missing.length === 0) continue
      let restored = 0
      // What has finished meanwhile was rightly taken off. While one batch is added, the next is looked at.
      let next = stillLive(database, missing.slice(0, BATCH))
      for (let at = 0; at < missing.length; at += BATCH) {
        signal.throwIfAborted()
        const batch = await next
        next = stillLive(database, missing.slice(at + BATCH, at + 2 * BATCH))
        next.catch(() => {})
        if (!(await hasRoom(client))) throw new Error('Redis is nearly out of memory; what it does not hold waits in Postgres')
        // Lost in the middle of a comparison: what is added from here on would run before what is older.
        if (!filling.has(plugin) && (await client.hget(bull.key('meta'), MARK)) === null)
          throw new Error('Redis has lost its data meanwhile')
        const old = batch.filter((job) => timeOf(job.jobId) <= (lostUntil.get(plugin) ?? 0))
        await bull.restore(old)
        await bull.add(batch.slice(old.length))
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
