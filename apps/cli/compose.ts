import type { Config } from '../../libs/config/index.ts'
import { EVERYTHING } from '../../libs/engine/index.ts'
import { watchPlugins } from '../../libs/plugin-host/index.ts'
import type { PluginStatus } from '../../libs/plugin-host/index.ts'
import { startEmbedded } from '../../libs/postgres/embedded.ts'
import type { Logger } from '../../libs/telemetry/index.ts'
import { apiOf } from '../api/compose.ts'
import { openPlatform } from '../platform/compose.ts'
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
