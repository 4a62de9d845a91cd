import type { Config } from '../../libs/config/index.ts'
import { FRAMEWORK_VERSION } from '../../libs/manifest/index.ts'
import type { Logger } from '../../libs/telemetry/index.ts'
import { openPlatform } from '../platform/compose.ts'
import type { Platform } from '../platform/compose.ts'
import { requireDatabaseUrl } from '../platform/database-url.ts'
import { createApi } from './index.ts'
import type { Api } from './index.ts'

export interface ComposeOptions {
  readonly config: Config
  readonly logger: Logger
  /** Aborts when the process is told to stop before it is up. */
  readonly signal: AbortSignal
}

export interface ApiService {
  readonly url: string
  /** Lets requests in flight finish within `deadlineMs`, unloads the plugins, closes everything in reverse order. */
  stop(deadlineMs: number): Promise<void>
}

/** The api of one process, over what `openPlatform` opened. */
export function apiOf(platform: Platform, config: Config, logger: Logger): Api {
  const { engine, host, control, queue, schedules, versions, metrics, readiness, draining } = platform
  return createApi({
    engine,
    host,
    control,
    queue,
    schedules,
    versions,
    metrics,
    logger,
    auth: config.auth,
    limits: config.limits,
    rateTokens: engine.rateTokens,
    readiness,
    version: FRAMEWORK_VERSION,
    draining: draining.signal,
  })
}

/** `xcore api`: takes requests, runs no jobs. */
export async function composeApi({ config, logger, signal }: ComposeOptions): Promise<ApiService> {
  await using opening = new AsyncDisposableStack()
  const platform = await openPlatform(opening, { config, databaseUrl: requireDatabaseUrl(config, 'api'), logger, role: 'api', signal })
  const api = apiOf(platform, config, logger)
  opening.defer(() => api.close(0))
  const { url } = await api.listen(config.http.host, config.http.port)
  const open = opening.move()
  return {
    url,
    async stop(deadlineMs) {
      platform.draining.abort()
      await using _everything = open
      await api.close(deadlineMs)
    },
  }
}
