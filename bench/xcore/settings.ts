import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { loadConfig } from '../../libs/config/index.ts'
import { createLogger } from '../../libs/telemetry/index.ts'
import type { Place } from '../harness/contender.ts'

const PLUGINS = fileURLToPath(new URL('../plugins', import.meta.url))

/** How a process of XCore in the bench is set up: all defaults, but for the place, the plugins and free ports. */
export function settingsFor({ databaseUrl, redisUrl }: Place, driver: 'pg-boss' | 'bullmq' = 'pg-boss') {
  const env = {
    ...(driver === 'bullmq' ? { REDIS_URL: redisUrl } : {}),
    DATABASE_URL: databaseUrl,
    XCORE_PLUGINS_DIR: PLUGINS,
    XCORE_HTTP_PORT: '0',
    XCORE_WORKER_METRICS_PORT: '0',
  }
  const config = loadConfig({ cwd: PLUGINS, env })
  // The programs' own output is on stdout.
  const logger = createLogger({ level: 'warn', destination: pino.destination({ dest: 2, sync: true }) })
  return { config, logger, signal: new AbortController().signal }
}
