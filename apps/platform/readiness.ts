import type { WorkerRegistry } from '../../libs/engine/index.ts'
import type { PluginStatus } from '../../libs/plugin-host/port.ts'

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
  /** Asks the database anything. */
  readonly database: () => Promise<unknown>
  /** Names of migrations that the database lacks. */
  readonly missingMigrations: () => Promise<readonly string[]>
  readonly plugins: () => readonly PluginStatus[]
  /** Aborts when the process begins to stop. */
  readonly draining: AbortSignal
  readonly queueAvailable: () => boolean
  readonly workers: Pick<WorkerRegistry, 'served'>
  /** How long an answer holds, so that many who ask cost no more than one. Milliseconds, default 1,000. */
  readonly cacheMs?: number
  /** How long one check may take. Milliseconds, default 2,000. */
  readonly timeoutMs?: number
}

/**
 * Whether the process can take work: not stopping, the database answers in time, no migration is missing. Plugins that were refused or that
 * no worker runs, and a queue that is away, are told of, but do not make the process unready: the others work, and jobs wait. That it
 * stops is told at once, the rest once a second.
 */
export function createReadiness(options: ReadinessOptions): () => Promise<Readiness> {
  const { cacheMs = 1_000, timeoutMs = 2_000 } = options
  let known: { readonly until: number; readonly checks: ReturnType<typeof outside> } | undefined

  function outside(): Promise<readonly [ReadinessCheck, ReadinessCheck, ReadinessCheck]> {
    if (known !== undefined && performance.now() < known.until) return known.checks
    const checks = Promise.all([
      answers('database', options.database, timeoutMs),
      answers('migrations', options.missingMigrations, timeoutMs, (missing) =>
        missing.length === 0 ? undefined : `missing: ${missing.join(', ')}; run \`xcore migrate\``,
      ),
      workersCheck(options.workers, options.plugins()),
    ])
    // While it is being found out, others share it.
    known = { until: Infinity, checks }
    void checks.then(() => (known = { until: performance.now() + cacheMs, checks }))
    return checks
  }

  return async () => {
    const [database, migrations, workers] = await outside()
    const plugins = pluginCheck(options.plugins())
    const checks = [processCheck(options.draining), database, queueCheck(options.queueAvailable()), migrations, plugins, workers]
    return { ready: checks.every((check) => check.ok), checks }
  }
}

function processCheck(draining: AbortSignal): ReadinessCheck {
  return draining.aborted ? { name: 'process', ok: false, detail: 'stopping' } : { name: 'process', ok: true }
}

/** `judge`: what is wrong with the answer. Never rejects. */
async function answers<T>(
  name: string,
  ask: () => Promise<T>,
  timeoutMs: number,
  judge: (answer: T) => string | undefined = () => undefined,
): Promise<ReadinessCheck> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error('late')), timeoutMs)
  try {
    const asked = ask()
    // When the race is over, a late rejection is nobody's.
    asked.catch(() => {})
    const wrong = judge(await Promise.race([asked, late.promise]))
    return wrong === undefined ? { name, ok: true } : { name, ok: false, detail: wrong }
  } catch {
    // Open to everybody, so without the cause; it is in the log.
    return { name, ok: false, detail: `did not answer within ${timeoutMs} ms, or refused` }
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
