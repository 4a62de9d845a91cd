import type { WorkerRegistry } from '../../libs/engine/index.ts'
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
  readonly queueAvailable: () => boolean
  readonly workers: Pick<WorkerRegistry, 'served'>
}

const DATABASE_TIMEOUT_MS = 2_000
const PING = { name: 'readiness_ping', text: 'select 1 as ok' } as const

/**
 * Whether the process can take work: not stopping, database answers within 2 s. Plugins that were refused or that no worker runs, and a
 * queue that is away, are told of, but do not make the process unready: the others work, and jobs wait.
 */
export function createReadiness(options: ReadinessOptions): () => Promise<Readiness> {
  return async () => {
    const database = await databaseCheck(options.database)
    const plugins = options.plugins()
    const checks = [processCheck(options.draining), database, queueCheck(options.queueAvailable()), pluginCheck(plugins)]
    // A database that is away was waited for once.
    if (database.ok) checks.push(await workersCheck(options.workers, plugins))
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

/** Without the queue jobs are accepted all the same: they are in Postgres, and run once it is back. */
function queueCheck(available: boolean): ReadinessCheck {
  return available ? { name: 'queue', ok: true } : { name: 'queue', ok: true, detail: 'cannot be reached: jobs are accepted and wait' }
}

async function workersCheck(workers: Pick<WorkerRegistry, 'served'>, plugins: readonly PluginStatus[]): Promise<ReadinessCheck> {
  const served = await workers.served().catch(() => undefined)
  if (served === undefined) return { name: 'workers', ok: true, detail: 'not known now' }
  const unserved = plugins.filter(({ name, state }) => state === 'ready' && !served.has(name)).map(({ name }) => name)
  return unserved.length === 0
    ? { name: 'workers', ok: true }
    : { name: 'workers', ok: true, detail: `no worker runs the jobs of ${unserved.join(', ')}` }
}
