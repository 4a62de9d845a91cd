import type { PluginStatus } from '../../libs/plugin-host/port.ts'
import type { Database } from '../../libs/postgres/sql.ts'

export interface ReadinessCheck {
  readonly name: string
  readonly ok: boolean
  readonly detail?: string
}

export interface Readiness {
  readonly ready: boolean
  readonly checks: readonly ReadinessCheck[]
}

export interface ReadinessOptions {
  readonly database: Database
  readonly plugins: () => readonly PluginStatus[]
  /** Aborts when the process begins to stop. */
  readonly draining: AbortSignal
}

const DATABASE_TIMEOUT_MS = 2_000
const PING = { name: 'readiness_ping', text: 'select 1 as ok' } as const

/**
 * Whether the process can take work: not stopping, database answers within 2 s. Plugins that were refused are told of, but do not
 * make the process unready: the others work.
 */
export function createReadiness(options: ReadinessOptions): () => Promise<Readiness> {
  return async () => {
    const checks = [processCheck(options.draining), await databaseCheck(options.database), pluginCheck(options.plugins())]
    return { ready: checks.every((check) => check.ok), checks }
  }
}

function processCheck(draining: AbortSignal): ReadinessCheck {
  return draining.aborted ? { name: 'process', ok: false, detail: 'stopping' } : { name: 'process', ok: true }
}

async function databaseCheck(database: Database): Promise<ReadinessCheck> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error('late')), DATABASE_TIMEOUT_MS)
  const ping = database.query(PING)
  // When the race is over, a late rejection is nobody's.
  ping.catch(() => {})
  try {
    await Promise.race([ping, late.promise])
    return { name: 'database', ok: true }
  } catch {
    // Open to everybody, so without the cause; it is in the log.
    return { name: 'database', ok: false, detail: `did not answer within ${DATABASE_TIMEOUT_MS} ms, or refused` }
  } finally {
    clearTimeout(timer)
  }
}

function pluginCheck(plugins: readonly PluginStatus[]): ReadinessCheck {
  const failed = plugins.filter((plugin) => plugin.state === 'failed').map((plugin) => plugin.name)
  const ready = plugins.filter((plugin) => plugin.state === 'ready').length
  return { name: 'plugins', ok: true, detail: failed.length === 0 ? `${ready} ready` : `${ready} ready; refused: ${failed.join(', ')}` }
}
