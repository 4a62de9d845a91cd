import type { RedisConnection } from 'bullmq'
import { XCoreError } from '../../errors/index.ts'
import { jobId } from '../../event-log/ids.ts'
import type { JobId, PluginName } from '../../event-log/ids.ts'
import type { Database } from '../../postgres/sql.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { sparing } from '../../telemetry/sparing.ts'
import type { Queue, QueueEntry, RetryEntry } from '../port.ts'
import { createWake } from '../wake.ts'
import type { Wake, WakeChannel } from '../wake.ts'
import { BatchConnection } from './batch-scripts.ts'
import { checkServer, connect } from './check-server.ts'
import { createBounded } from './bounded.ts'
import { createClaiming } from './claiming.ts'
import type { RedisClient } from '../../redis/client.ts'
import { queueClient } from './connection.ts'
import { HeldJobs } from './held-jobs.ts'
import { PluginQueue } from './plugin-queue.ts'
import type { Pointer } from './plugin-queue.ts'
import { completed, listLive, liveCounts } from './live-reads.ts'
import { MARK, SHED, depthOf, emptyDepth, heldSince, idsOf, look, waitingCount } from './reads.ts'
import { hasRoom } from './memory-room.ts'
import { createRedisChannel } from './redis-channel.ts'
import { declareQueues, declaredQueues } from './registry.ts'
import { restoreHeld } from './restore-held.ts'
import type { RedisSettings } from '../../redis/settings.ts'

export interface BullmqQueueOptions {
  readonly redis: RedisSettings
  readonly database: Database
  readonly logger: Logger
  /** After how long without a heartbeat a holder counts as lost. Seconds. Default 20. */
  readonly lockSeconds?: number
  /** How often lost holders are looked for, seconds. A holder is found after the lock and up to two rounds. Default 5. */
  readonly stalledCheckSeconds?: number
  /** How often due jobs are looked for without being told (delayed ones, missed wake-ups). Milliseconds. Default 500. */
  readonly pollMs?: number
  /** Carries wake-ups between processes. Default: Redis pub/sub. */
  readonly channel?: WakeChannel
  /** Told when Redis goes away and when it is back. */
  readonly onAvailable?: (available: boolean) => void
}

/** How many waiting jobs make room for claims at a time. */
const SHED_AT_ONCE = 200

/** Up to so many waiting jobs are listed from Redis. */
const DEEP = 10_000

/** The queue, and what the reconciler needs of it. */
export interface BullmqQueue extends Queue {
  readonly client: RedisClient
  queueOf(plugin: PluginName): PluginQueue
  /** Wakes consumers everywhere. */
  announce(plugins: Iterable<PluginName>): void
}

/**
 * BullMQ 6 on Redis as the queue. It holds pointers only (id, priority, due time, attempts so far): Postgres can restore all of it
 * (reconciler.ts). Jobs are added after the commit, and taken off after the commit of their outcome; in between a crash leaves a job
 * that is given out again, and found to be settled.
 */
export function createBullmqQueue(options: BullmqQueueOptions): BullmqQueue {
  const { redis, database, logger } = options
  const warn = sparing(logger)
  const lockMs = (options.lockSeconds ?? 20) * 1000
  const stalledCheckMs = (options.stalledCheckSeconds ?? 5) * 1000
  const client = queueClient(redis, 'commands')
  const subscriber = options.channel === undefined ? queueClient(redis, 'subscriber') : undefined
  const ownChannel = subscriber === undefined ? undefined : createRedisChannel(client, subscriber, redis.prefix)
  const queues = new Map<PluginName, PluginQueue>()
  const declared = new Set<PluginName>()
  const held = new HeldJobs()
  const bounded = createBounded(client)
  const claiming = createClaiming({
    database,
    bounded,
    held,
    // Nothing could be claimed, so nothing would ever be taken off: the jobs that would run last make room for the first.
    makeRoom: async (queue) => {
      let jobs = 0
      for (let more = 1; more > 0 && !(await hasRoom(client));) jobs += more = await queue.shed(SHED_AT_ONCE)
      if (jobs > 0) await client.hset(queue.key('meta'), SHED, jobs).catch(() => {})
      logger.warn(
        { plugin: queue.plugin, jobs },
        'Redis is out of memory: jobs that would run last were taken off it, and are put back once there is room; raise its maxmemory',
      )
    },
    giveBack: (plugin, jobs) =>
      queueOf(plugin)
        .putBack(jobs)
        .catch((err: unknown) => logger.debug({ err, plugin }, 'jobs that nobody claimed could not be put back; they are found as lost')),
  })
  const timers: NodeJS.Timeout[] = []
  let connection: RedisConnection | undefined
  let wake: Wake | undefined
  let working: Promise<void> | undefined
  let stopped = false
  let away = false

  const channel = options.channel ?? ownChannel
  if (channel !== undefined) wake = createWake(channel, logger)

  function queueOf(plugin: PluginName): PluginQueue {
    if (connection === undefined)
      throw new XCoreError('queue_unavailable', 'The queue was used before it was started, or after it was stopped.')
    const known = queues.get(plugin)
    if (known !== undefined) return known
    const made = new PluginQueue({ plugin, prefix: redis.prefix, client, connection, lockMs, stalledCheckMs })
    queues.set(plugin, made)
    return made
  }

  /** For each plugin its own work at the same time; a failure of one is reported once all are done. */
  async function byPlugin<T extends { readonly plugin: PluginName }>(
    items: readonly T[],
    work: (queue: PluginQueue, own: T[]) => Promise<void>,
  ): Promise<void> {
    const answers = await Promise.allSettled(
      [...Map.groupBy(items, (item) => item.plugin)].map(([plugin, own]) => work(queueOf(plugin), own)),
    )
    const failed = answers.find((answer) => answer.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async function extend(jobs: ReturnType<HeldJobs['see']>): Promise<void> {
    await byPlugin(jobs, async (queue, own) => {
      const gone = new Set(await queue.extend(own, lockMs))
      const restored =
        gone.size === 0
          ? 0
          : await restoreHeld(
              client,
              queue,
              own.filter((job) => gone.has(job.jobId)),
              lockMs,
            )
      if (restored > 0) logger.warn({ plugin: queue.plugin, jobs: restored }, 'Redis had forgotten jobs that run here; it was told again')
    })
  }

  async function poll(): Promise<void> {
    const now = Date.now()
    const due: PluginName[] = []
    await Promise.all(
      (wake?.watched() ?? []).map(async (plugin) => {
        const queue = queueOf(plugin)
        const seen = await look(client, queue, now)
        if (seen.due) due.push(plugin)
        // Lost data: before others are given what runs here, Redis has to know of it again.
        if (seen.mark === null) await extend(held.of(plugin))
        await bounded.tidy(queue, seen.bound)
      }),
    )
    wake?.local(due)
  }

  async function recoverStalled(): Promise<void> {
    held.forget(Date.now() - 3 * lockMs)
    // Asks nothing by itself, so that it would never notice a cut cable.
    subscriber?.ping().catch(() => {})
    await Promise.all(
      (wake?.watched() ?? []).map(async (plugin) => {
        if (await queueOf(plugin).recoverStalled()) wake?.announce([plugin])
      }),
    )
  }

  /** One at a time, whatever the interval; while Redis is away there is nothing to do. */
  function every(ms: number, what: string, work: () => Promise<void>): void {
    let busy = false
    timers.push(
      setInterval(() => {
        if (busy || stopped || client.status !== 'ready') return
        busy = true
        working = work()
          .catch((err: unknown) => logger.debug({ err }, `${what} failed; it is tried again`))
          .finally(() => (busy = false))
      }, ms),
    )
  }

  return {
    driver: 'bullmq',
    client,
    queueOf,
    announce: (plugins) => wake?.announce(plugins),

    async start() {
      await connect(client, redis)
      await checkServer(client, redis)
      client.on('error', (err: unknown) => logger.debug({ err }, 'the connection to Redis has an error'))
      subscriber?.on('error', (err: unknown) => logger.debug({ err }, 'the connection to Redis that hears of new jobs has an error'))
      client.on('close', () => {
        // Each try to open it again ends so too.
        if (!stopped && !away) logger.warn('the connection to Redis was lost: jobs are accepted, and run once it is back')
        away = true
        options.onAvailable?.(false)
      })
      client.on('ready', () => {
        away = false
        logger.info('the connection to Redis is back')
        options.onAvailable?.(true)
      })
      if (subscriber !== undefined) await connect(subscriber, redis)
      await ownChannel?.start()
      connection = new BatchConnection(client, { shared: true, blocking: false, skipVersionCheck: true })
      connection.on('error', () => {})
      await connection.client
      options.onAvailable?.(true)
      every(options.pollMs ?? 500, 'looking for due jobs', poll)
      every(stalledCheckMs, 'looking for lost jobs', recoverStalled)
    },

    async stop() {
      stopped = true
      for (const timer of timers) clearInterval(timer)
      await wake?.stop()
      await working
      connection = undefined
      client.disconnect()
      subscriber?.disconnect()
    },

    async declare(plugins) {
      const fresh = [...new Set(plugins)].filter((plugin) => !declared.has(plugin))
      await declareQueues(database, fresh)
      await Promise.all(fresh.map((plugin) => queueOf(plugin).declare()))
      for (const plugin of fresh) declared.add(plugin)
    },

    // Nothing may be added before the commit: a worker would find a job that is not there.
    enqueue: async () => {},

    async committed(entries) {
      try {
        await byPlugin(entries, (queue, own) => queue.add(own.map(pointerOf)))
      } catch (err) {
        warn({ err, jobs: entries.length }, 'jobs were accepted but could not be put on the queue; they are added once Redis takes them')
      }
      announceDue(entries)
    },

    claim: (plugin, limit, total) => claiming.claim(queueOf(plugin), limit, total),
    onReady: (plugin, listener) => wake?.on(plugin, listener) ?? (() => {}),
    heartbeat: (claims) => extend(held.see(claims, Date.now())),

    // Redis hears of outcomes once they are committed.
    acknowledge: async () => {},
    retry: async () => {},

    async settled(done, retries) {
      try {
        await byPlugin(held.take(done), (queue, own) => claiming.finish(queue, own))
        await putBack(retries, 1)
      } catch (err) {
        warn(
          { err, jobs: done.length + retries.length },
          'Redis could not be told of recorded outcomes; these jobs are given out once more and then taken off',
        )
      }
      announceDue(retries.map(({ claim, runAt }) => ({ plugin: claim.plugin, runAt })))
      // Their places are free for any process.
      wake?.announce(new Set(done.map((claim) => claim.plugin).filter((plugin) => bounded.isBounded(plugin))))
    },

    async release(entries) {
      await putBack(entries, 0)
      announceDue(entries.map(({ claim, runAt }) => ({ plugin: claim.plugin, runAt })))
    },

    async remove(_tx, entries) {
      await byPlugin(entries, (queue, own) => queue.remove(own.map((entry) => entry.jobId))).catch((err: unknown) =>
        warn({ err, jobs: entries.length }, 'cancelled jobs could not be taken off the queue; they are when they are claimed'),
      )
    },

    async held(entries) {
      const found = new Map<JobId, Date>()
      try {
        await byPlugin(entries, async (queue, own) => {
          const times = await Promise.all(own.map((entry) => heldSince(client, queue, entry.jobId)))
          own.forEach((entry, index) => {
            const since = times[index]
            if (since !== undefined) found.set(entry.jobId, since)
          })
        })
      } catch (err) {
        // Readers are told the rest.
        logger.debug({ err }, 'Redis could not tell which jobs run')
      }
      return found
    },

    async list(filter) {
      const plugins = filter.plugin === undefined ? await declaredQueues(database) : [filter.plugin]
      const idsIn = async (held: boolean) => (await Promise.all(plugins.map((plugin) => idsOf(client, queueOf(plugin), held)))).flat()
      if (!filter.held && (await isDeepOrAway(plugins))) {
        // Redis keeps no order by id: a deep queue is read from Postgres. Which of those run it does not know.
        return listLive(database, filter, await idsIn(true).catch(() => []))
      }
      const { before } = filter
      const ids = await idsIn(filter.held).catch((cause: unknown) => {
        throw new XCoreError('queue_unavailable', 'Redis does not answer, so nobody can tell which jobs run. Ask again once it is back.', {
          cause,
          retryAfterSeconds: 5,
        })
      })
      return (before === undefined ? ids : ids.filter((id) => id < before)).sort().reverse().slice(0, filter.limit).map(jobId)
    },

    async depths() {
      const now = Date.now()
      const plugins = await declaredQueues(database)
      const seen = await Promise.all(plugins.map((plugin) => depthOf(client, queueOf(plugin), now))).catch(() => undefined)
      if (seen !== undefined && (await isComplete(plugins))) return seen
      // Redis is away, is being filled or has no room: some jobs wait in Postgres alone.
      const live = await liveCounts(database)
      return plugins.map((plugin, index) => completed(seen?.[index] ?? emptyDepth(plugin), live.get(plugin)))
    },
  }

  async function isComplete(plugins: readonly PluginName[]): Promise<boolean> {
    const marks = plugins.map((plugin) => client.hget(queueOf(plugin).key('meta'), MARK))
    return Promise.all([hasRoom(client), ...marks]).then(
      ([room, ...found]) => room && found.every((mark) => mark !== null),
      () => false,
    )
  }

  async function isDeepOrAway(plugins: readonly PluginName[]): Promise<boolean> {
    return Promise.all(plugins.map((plugin) => waitingCount(client, queueOf(plugin)))).then(
      (counts) => counts.reduce((sum, count) => sum + count, 0) > DEEP,
      () => true,
    )
  }

  function announceDue(entries: readonly Pick<QueueEntry, 'plugin' | 'runAt'>[]): void {
    const now = Date.now()
    const due = new Set<PluginName>()
    for (const { plugin, runAt } of entries) {
      if (runAt === null || runAt.getTime() <= now) due.add(plugin)
      else wake?.at(plugin, runAt.getTime() - now)
    }
    if (due.size > 0) wake?.announce(due)
  }

  async function putBack(entries: readonly RetryEntry[], ended: number): Promise<void> {
    const own = new Map(held.take(entries.map(({ claim }) => claim)).map((job) => [job.jobId, job]))
    const jobs = entries.flatMap(({ claim, priority, runAt }) => {
      const job = own.get(claim.jobId)
      if (job === undefined) return []
      const pointer: Pointer = { jobId: job.jobId, priority, runAt: runAt.getTime(), attempts: job.attempts + ended }
      return [{ plugin: job.plugin, token: job.token, pointer }]
    })
    await byPlugin(jobs, (queue, group) => queue.putBack(group))
  }
}

export function pointerOf(entry: QueueEntry): Pointer {
  return { jobId: entry.jobId, priority: entry.priority, runAt: entry.runAt?.getTime() ?? null, attempts: entry.attempts ?? 0 }
}
