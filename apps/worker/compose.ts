import type { Config } from '../../libs/config/index.ts'
import type { Consumers, WorkerGroup } from '../../libs/engine/index.ts'
import type { Logger } from '../../libs/telemetry/index.ts'
import { openPlatform } from '../platform/compose.ts'
import { requireDatabaseUrl } from '../platform/database-url.ts'
import { createMetricsServer } from './metrics-server.ts'

export interface ComposeOptions {
  readonly config: Config
  readonly logger: Logger
  /** Aborts when the process is told to stop before it is up. */
  readonly signal: AbortSignal
  /** Whose jobs it runs, and how many at once. */
  readonly selection: WorkerGroup
}

export interface WorkerService {
  /** Of `/metrics`, `/livez` and `/readyz`. */
  readonly url: string
  readonly consumers: Consumers
  /** Claims no more, finishes or hands back what runs within `deadlineMs`, unloads the plugins, closes everything in reverse order. */
  stop(deadlineMs: number): Promise<void>
}

/** `xcore worker`: runs jobs; any number of them share one database. */
export async function composeWorker({ config, logger, signal, selection }: ComposeOptions): Promise<WorkerService> {
  await using opening = new AsyncDisposableStack()
  const { engine, host, metrics, readiness, draining, serve } = await openPlatform(opening, {
    config,
    databaseUrl: requireDatabaseUrl(config, 'worker'),
    logger,
    role: 'worker',
    signal,
  })
  const consumers = engine.consumers({ groups: [selection] })
  opening.defer(() => consumers.stop(0))
  const server = createMetricsServer({ metrics, readiness, logger, keys: config.auth.keys })
  opening.defer(() => server.close())
  const { url } = await server.listen(config.http.host, config.worker.metricsPort)
  await consumers.start()
  await serve(consumers)
  const plugins = consumers.plugins()
  if (plugins.length === 0) {
    const ready = host.runnable().map((plugin) => plugin.name)
    logger.warn({ patterns: selection.plugins, ready }, 'No plugin that is ready fits the selection: this worker runs nothing')
  } else logger.info({ plugins, concurrency: selection.concurrency }, `Running the jobs of ${plugins.join(', ')}`)
  const open = opening.move()
  return {
    url,
    consumers,
    async stop(deadlineMs) {
      draining.abort()
      await using _everything = open
      await consumers.stop(deadlineMs)
    },
  }
}
