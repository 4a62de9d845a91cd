import { hostname } from 'node:os'
import type { Config } from '../../libs/config/index.ts'
import { createEngine, createWorkerRegistry, runMaintenance, systemClock } from '../../libs/engine/index.ts'
import type { Consumers, RunningEngine, ServedPlugin } from '../../libs/engine/index.ts'
import { XCoreError } from '../../libs/errors/index.ts'
import { ensurePartitions } from '../../libs/event-log/partitions.ts'
import { FRAMEWORK_VERSION } from '../../libs/manifest/index.ts'
import { createPluginHost } from '../../libs/plugin-host/index.ts'
import type { PluginHost } from '../../libs/plugin-host/index.ts'
import { createDatabase } from '../../libs/postgres/database.ts'
import { createLeadership } from '../../libs/postgres/leadership.ts'
import { migrate } from '../../libs/postgres/migrator.ts'
import { createNotifications } from '../../libs/postgres/listen-notify.ts'
import type { Notifications } from '../../libs/postgres/notifications.ts'
import type { Database } from '../../libs/postgres/sql.ts'
import type { Queue } from '../../libs/queue/index.ts'
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
  readonly queue: Queue
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

  const host = createPluginHost({
    dir: config.plugins.dir,
    frameworkVersion: FRAMEWORK_VERSION,
    hostEnv: process.env,
    logger,
    metrics,
    forgetGone: role === 'standalone',
  })
  const worker = `${hostname()}/${process.pid}`
  const workers = createWorkerRegistry({ database, notifications, logger, worker })
  stack.defer(() => workers.leave())
  const engine = createEngine({ database, queue, notifications, plugins: host, metrics, logger, worker, workers })
  stack.defer(() => engine.close())
  stack.defer(() => host.unloadAll())
  await host.loadAll({ engine, subscriptions: engine.subscriptions })
  await queue.declare(host.runnable().map((plugin) => plugin.name))
  signal.throwIfAborted()

  const leadership = createLeadership({ url, name: 'maintenance', logger })
  stack.defer(() => leadership.stop())
  const duties = { database, queue, metrics, logger, clock: systemClock, retentionDays: config.retention.days, workers, plugins: host }
  leadership.lead(async (term) => void (await Promise.all([runMaintenance(duties, term), upkeep(term)])))

  const readiness = createReadiness({
    database,
    plugins: () => host.statuses(),
    draining: draining.signal,
    queueAvailable: isAvailable,
    workers,
  })
  const serve = (consumers: Pick<Consumers, 'plugins'>) => workers.serve(() => servedOf(host, consumers.plugins()))
  return { engine, host, queue, metrics, readiness, draining, serve }
}

function openDatabase(stack: AsyncDisposableStack, options: Parameters<typeof createDatabase>[0]): Database {
  const database = createDatabase(options)
  stack.defer(() => database.close())
  return database
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
  const [{ createClient, shownAddress }, { checkServer, connect }] = await Promise.all([
    import('../../libs/queue/bullmq/client.ts'),
    import('../../libs/queue/bullmq/check-server.ts'),
  ])
  const client = createClient(redis, 'commands')
  try {
    await connect(client, redis)
    return `Redis ${await checkServer(client, redis)} at ${shownAddress(redis)}`
  } finally {
    client.disconnect()
  }
}
