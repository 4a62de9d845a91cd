import type { Config, QueueDriver } from '../../libs/config/index.ts'
import { EVERYTHING, createWorkerRegistry, moveJobs } from '../../libs/engine/index.ts'
import { XCoreError } from '../../libs/errors/index.ts'
import { watchPlugins } from '../../libs/plugin-host/index.ts'
import type { PluginStatus } from '../../libs/plugin-host/index.ts'
import { createNotifications } from '../../libs/postgres/listen-notify.ts'
import { migrate } from '../../libs/postgres/migrator.ts'
import type { Database } from '../../libs/postgres/sql.ts'
import { startEmbedded } from '../../libs/postgres/embedded.ts'
import { createMetrics } from '../../libs/telemetry/index.ts'
import type { Logger } from '../../libs/telemetry/index.ts'
import { apiOf } from '../api/compose.ts'
import { openPlatform, openQueue } from '../platform/compose.ts'
import type { Service } from './run-service.ts'
import { embeddedFolder } from './use-database.ts'

export interface ComposeOptions {
  readonly config: Config
  readonly logger: Logger
  /** Aborts when the process is told to stop before it is up. */
  readonly signal: AbortSignal
  /** Reload plugins when their files are saved. Default: false. */
  readonly watch?: boolean
}

export interface Standalone extends Service {
  readonly url: string
  plugins(): readonly PluginStatus[]
}

/** `xcore start`: api and worker in one process on one plugin host, so that each plugin has one instance. */
export async function composeStandalone({ config, logger, signal, watch = false }: ComposeOptions): Promise<Standalone> {
  await using opening = new AsyncDisposableStack()
  const databaseUrl = config.database.url ?? (await openEmbedded(opening, config, logger))
  signal.throwIfAborted()
  const platform = await openPlatform(opening, { config, databaseUrl, logger, role: 'standalone', signal })
  const consumers = platform.engine.consumers({ groups: [EVERYTHING] })
  opening.defer(() => consumers.stop(0))
  await consumers.start()
  await platform.serve(consumers)
  const api = apiOf(platform, config, logger)
  opening.defer(() => api.close(0))
  const { url } = await api.listen(config.http.host, config.http.port)
  if (watch) opening.use(watchPlugins({ dir: config.plugins.dir, host: platform.host, logger }))
  const open = opening.move()
  return {
    url,
    plugins: () => platform.host.statuses(),
    async stop(deadlineMs) {
      platform.draining.abort()
      await using _everything = open
      // Together: a request in flight may wait for a job, and a job's handler for a request.
      await Promise.all([api.close(deadlineMs), consumers.stop(deadlineMs)])
    },
  }
}

async function openEmbedded(stack: AsyncDisposableStack, config: Config, logger: Logger): Promise<string> {
  const server = await startEmbedded({ dataDir: embeddedFolder(config), logger })
  stack.defer(() => server.stop())
  return server.url
}

export interface MoveBetweenQueuesOptions {
  readonly config: Config
  readonly databaseUrl: string
  readonly database: Database
  readonly logger: Logger
  readonly to: QueueDriver
  readonly onProgress: (moved: number, total: number) => void
}

/** `xcore queue move`. Throws XCoreError `not_ready` while some process still runs jobs. */
export async function moveBetweenQueues(options: MoveBetweenQueuesOptions): Promise<number> {
  const { config, databaseUrl: url, database, logger, to } = options
  await using stack = new AsyncDisposableStack()
  await migrate(url, { logger })
  const notifications = createNotifications({ url, logger })
  stack.defer(() => notifications.stop())
  await notifications.start()
  const workers = createWorkerRegistry({ database, notifications, logger, worker: 'cli' })
  const served = await workers.served()
  if (served.size > 0) {
    throw new XCoreError(
      'not_ready',
      `Expected all workers to be stopped, but some process runs the jobs of ${[...served].join(', ')}. Stop api and workers first; one that was killed is forgotten after 30 s.`,
    )
  }
  const open = async (driver: QueueDriver) =>
    (
      await openQueue(
        stack,
        { ...config, queue: { driver } },
        { url, database, notifications, logger, metrics: createMetrics(), role: 'cli' },
      )
    ).queue
  const from = await open(to === 'bullmq' ? 'pg-boss' : 'bullmq')
  return await moveJobs({ database, from, to: await open(to), onProgress: options.onProgress })
}
