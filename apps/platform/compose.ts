import { hostname } from 'node:os'
import type { Config } from '../../libs/config/index.ts'
import { createEngine, createWorkerRegistry, runMaintenance, systemClock } from '../../libs/engine/index.ts'
import type { Consumers, RunningEngine, ServedPlugin } from '../../libs/engine/index.ts'
import { XCoreError } from '../../libs/errors/index.ts'
import { ensurePartitions } from '../../libs/event-log/partitions.ts'
import { FRAMEWORK_VERSION } from '../../libs/manifest/index.ts'
import { randomIds } from '../../libs/event-log/index.ts'
import { createPluginVersions, type PluginVersions } from '../../libs/plugin-host/compatibility/versions.ts'
import { createDenialLog, createNewsDesk, createPluginControl, createPluginHost } from '../../libs/plugin-host/index.ts'
import type { PluginControl, PluginHost } from '../../libs/plugin-host/index.ts'
import { createDatabase } from '../../libs/postgres/database.ts'
import { createLeadership } from '../../libs/postgres/leadership.ts'
import { migrate, missingMigrations } from '../../libs/postgres/migrator.ts'
import { createNotifications } from '../../libs/postgres/listen-notify.ts'
import type { Notifications } from '../../libs/postgres/notifications.ts'
import type { Database } from '../../libs/postgres/sql.ts'
import type { Queue } from '../../libs/queue/index.ts'
import { cacheService } from '../../libs/services/cache/index.ts'
import type { CacheStore } from '../../libs/services/cache/index.ts'
import { createScheduleRegistry, runScheduler } from '../../libs/services/scheduler/index.ts'
import type { ScheduleRegistry } from '../../libs/services/scheduler/index.ts'
import { createPostgresCacheStore, sweepCache } from '../../libs/services/cache/postgres/store.ts'
import { shownAddress } from '../../libs/redis/client.ts'
import { createRedisCacheStore } from '../../libs/services/cache/redis/store.ts'
import { createDbService } from '../../libs/services/db/service.ts'
import { filesService } from '../../libs/services/files/index.ts'
import { createMetrics } from '../../libs/telemetry/index.ts'
import type { Logger, Metrics } from '../../libs/telemetry/index.ts'
import { createReadiness } from './readiness.ts'
import type { Readiness } from './readiness.ts'

export type ProcessRole = 'standalone' | 'api' | 'worker'

export interface PlatformOptions {
  readonly config: Config
  readonly databaseUrl: string
  readonly logger: Logger
  readonly role: ProcessRole
  /** Aborts when the process is told to stop before it is up. */
  readonly signal: AbortSignal
}

/** What every process of XCore stands on, whether it serves HTTP, runs jobs, or both. */
export interface Platform {
  readonly engine: RunningEngine
  readonly host: PluginHost
  readonly control: PluginControl
  readonly queue: Queue
  readonly schedules: ScheduleRegistry
  readonly versions: PluginVersions
  readonly metrics: Metrics
  readonly readiness: () => Promise<Readiness>
  readonly draining: AbortController
  /** Lists this process as one that runs the jobs of these consumers. */
  serve(consumers: Pick<Consumers, 'plugins'>): Promise<void>
}

function servedOf(host: PluginHost, names: readonly string[]): ServedPlugin[] {
  return host
    .statuses()
    .filter(({ name, state }) => state === 'ready' && names.includes(name))
    .map(({ name, version, actions }) => ({ name, version: version ?? '', actions: actions.map((action) => action.name) }))
}

/**
 * Opens database, notifications, queue, engine and plugins, in this order; each is pushed on `stack`, whose disposal closes them
 * in reverse, also when a later step fails.
 */
export async function openPlatform(stack: AsyncDisposableStack, options: PlatformOptions): Promise<Platform> {
  const { config, databaseUrl: url, logger, role, signal } = options
  const draining = new AbortController()
  const metrics = createMetrics({ processMetrics: true })
  metrics.buildInfo.set({ version: FRAMEWORK_VERSION, node: process.versions.node }, 1)

  const applied = await migrate(url, { logger })
  if (applied.length > 0) logger.info({ migrations: applied }, 'The database was brought up to date')
  signal.throwIfAborted()

  const database = openDatabase(stack, { url, applicationName: `xcore ${role}`, max: 10, byKey: true, logger })
  // Before anything is written: a database that rested for long has no partition for today.
  await ensurePartitions(database)
  const notifications = createNotifications({ url, logger })
  stack.defer(() => notifications.stop())
  await notifications.start()
  const { queue, isAvailable, upkeep } = await openQueue(stack, config, { url, database, notifications, logger, metrics, role })
  signal.throwIfAborted()

  const denials = createDenialLog({ database, metrics, logger, ids: randomIds, now: Date.now })
  stack.defer(() => denials.drained())
  const cache = await openCache(stack, config.redis, database, logger)
  const db = createDbService({ url, database, stager: () => engine.transactions, logger })
  stack.defer(() => db.close())
  const host = createPluginHost({
    dir: config.plugins.dir,
    frameworkVersion: FRAMEWORK_VERSION,
    hostEnv: process.env,
    logger,
    metrics,
    forgetGone: role === 'standalone',
    onDenied: denials.record,
    onNews: (each) => news.tell(each),
    databases: db,
    services: { cache: cacheService(cache), db: db.of, files: filesService },
    sandbox: { require: config.sandbox.require },
  })
  const schedules = createScheduleRegistry({ database, notifications, logger, clock: systemClock, random: Math.random })
  const worker = `${hostname()}/${process.pid}`
  const workers = createWorkerRegistry({ database, notifications, logger, worker })
  stack.defer(() => workers.leave())
  const engine = createEngine({ database, queue, notifications, plugins: host, changes: host, metrics, logger, worker, workers })
  stack.defer(() => engine.close())
  const news = createNewsDesk({ database, kernel: () => engine, status: (plugin) => host.status(plugin), process: worker, logger })
  stack.defer(() => news.drained())
  const versions = createPluginVersions(database)
  host.onChange(async (plugin) => {
    const status = host.status(plugin)
    if (status !== undefined) await versions.record(status)
  })
  const self = { id: randomIds.uuid(), role, name: worker }
  const control = createPluginControl({ database, notifications, host, process: self, logger, ids: randomIds })
  stack.defer(() => host.unloadAll())
  stack.defer(() => control.stop())
  await host.loadAll({ engine, schedules, subscriptions: engine.subscriptions }, await control.start())
  await queue.declare(host.runnable().map((plugin) => plugin.name))
  signal.throwIfAborted()
  control.obey()

  const leadership = createLeadership({ url, name: 'maintenance', logger })
  stack.defer(() => leadership.stop())
  const sweep = { everySeconds: 60, run: async (term: AbortSignal) => void (await sweepCache(database, term)) }
  const duties = {
    database,
    queue,
    metrics,
    logger,
    clock: systemClock,
    retentionDays: config.retention.days,
    workers,
    plugins: host,
    duties: [sweep],
  }
  const firing = { database, queue, notifications, metrics, logger, clock: systemClock, ids: randomIds, random: Math.random }
  leadership.lead(async (term) => {
    await Promise.all([runMaintenance(duties, term), runScheduler(firing, term), upkeep(term), engine.replays.run(term)])
  })

  const readiness = createReadiness({
    database: () => database.query(PING),
    missingMigrations: () => missingMigrations(database),
    plugins: () => host.statuses(),
    draining: draining.signal,
    queueAvailable: isAvailable,
    workers,
  })
  const serve = (consumers: Pick<Consumers, 'plugins'>) => workers.serve(() => servedOf(host, consumers.plugins()))
  return { engine, host, control, queue, schedules, versions, metrics, readiness, draining, serve }
}

const PING = { name: 'readiness_ping', text: 'select 1 as ok' } as const

function openDatabase(stack: AsyncDisposableStack, options: Parameters<typeof createDatabase>[0]): Database {
  const database = createDatabase(options)
  stack.defer(() => database.close())
  return database
}

/** Redis when there is one, else a table of Postgres. That Redis is away at the start is told, and does not keep XCore from starting. */
async function openCache(stack: AsyncDisposableStack, redis: Config['redis'], database: Database, logger: Logger): Promise<CacheStore> {
  const { url } = redis
  if (url === null) return createPostgresCacheStore(database)
  const store = createRedisCacheStore({ redis: { ...redis, url }, logger })
  stack.defer(() => store.close())
  await store.ready().catch((err: unknown) => logger.warn({ err }, 'The cache cannot be reached yet; it is tried again at each use'))
  return store
}

interface QueueParts {
  readonly url: string
  readonly database: Database
  readonly notifications: Notifications
  readonly logger: Logger
  readonly metrics: Metrics
  readonly role: string
}

interface OpenQueue {
  readonly queue: Queue
  /** Whether this process reaches it now. */
  isAvailable(): boolean
  /** What the elected process does for the queue, until the signal aborts. */
  upkeep(signal: AbortSignal): Promise<void>
}

/** Adapters are loaded when they are chosen: each brings a client library of its own. */
export function openQueue(stack: AsyncDisposableStack, config: Pick<Config, 'queue' | 'redis'>, parts: QueueParts): Promise<OpenQueue> {
  return config.queue.driver === 'bullmq' ? openBullmq(stack, config.redis, parts) : openPgBoss(stack, parts)
}

async function openPgBoss(
  stack: AsyncDisposableStack,
  { url, database, notifications, logger, metrics, role }: QueueParts,
): Promise<OpenQueue> {
  const { createPgBossQueue } = await import('../../libs/queue/pg-boss/queue.ts')
  // A claim that a crash of Postgres forgets only makes its job run again: it need not wait for the disk.
  const claims = openDatabase(stack, {
    url,
    applicationName: `xcore ${role} claims`,
    max: 4,
    byKey: true,
    synchronousCommit: 'off',
    logger,
  })
  const queue = createPgBossQueue({ url, database, claims, notifications, logger })
  stack.defer(() => queue.stop())
  await queue.start()
  metrics.queueAvailable.set({}, 1)
  return { queue, isAvailable: () => true, upkeep: async () => {} }
}

async function openBullmq(
  stack: AsyncDisposableStack,
  redis: Config['redis'],
  { database, logger, metrics }: QueueParts,
): Promise<OpenQueue> {
  const { url } = redis
  if (url === null) {
    throw new XCoreError(
      'config_invalid',
      'queue.driver: bullmq needs a Redis. Set REDIS_URL=redis://HOST:6379, or unset XCORE_QUEUE_DRIVER.',
    )
  }
  const [{ createBullmqQueue }, { runReconciler }] = await Promise.all([
    import('../../libs/queue/bullmq/queue.ts'),
    import('../../libs/queue/bullmq/reconciler.ts'),
  ])
  let available = false
  const onAvailable = (now: boolean) => {
    available = now
    metrics.queueAvailable.set({}, now ? 1 : 0)
  }
  const queue = createBullmqQueue({ redis: { ...redis, url }, database, logger, onAvailable })
  stack.defer(() => queue.stop())
  await queue.start()
  const onRestored = (plugin: string, jobs: number) => metrics.queueRestoredTotal.inc({ plugin }, jobs)
  return { queue, isAvailable: () => available, upkeep: (signal) => runReconciler({ database, queue, logger, onRestored }, signal) }
}

/** Whether the configured Redis is there and fit; returns what it is. Throws XCoreError `queue_unavailable`, `queue_unsuitable`. */
export async function probeRedis(redis: Config['redis'] & { readonly url: string }): Promise<string> {
  const [{ queueClient }, { checkServer, connect }] = await Promise.all([
    import('../../libs/queue/bullmq/connection.ts'),
    import('../../libs/queue/bullmq/check-server.ts'),
  ])
  const client = queueClient(redis, 'commands')
  try {
    await connect(client, redis)
    return `Redis ${await checkServer(client, redis)} at ${shownAddress(redis)}`
  } finally {
    client.disconnect()
  }
}
