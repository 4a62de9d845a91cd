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
  /** Asks the queue anything. */
  readonly queue: () => Promise<unknown>
  /** Names of migrations that the database lacks. */
  readonly missingMigrations: () => Promise<readonly string[]>
  readonly plugins: () => readonly PluginStatus[]
  /** Aborts when the process begins to stop. */
  readonly draining: AbortSignal
  /** How long an answer holds, so that many who ask cost no more than one. Milliseconds, default 1,000. */
  readonly cacheMs?: number
  /** How long one check may take. Milliseconds, default 2,000. */
  readonly timeoutMs?: number
}

/**
 * Whether the process can take work: not stopping, database and queue answer in time, no migration is missing. Plugins that were refused
 * are told of, but do not make the process unready: the others work. That it stops is told at once, the rest once a second.
 */
export function createReadiness(options: ReadinessOptions): () => Promise<Readiness> {
  const { cacheMs = 1_000, timeoutMs = 2_000 } = options
  let known: { readonly until: number; readonly checks: Promise<readonly ReadinessCheck[]> } | undefined

  function outside(): Promise<readonly ReadinessCheck[]> {
    if (known !== undefined && performance.now() < known.until) return known.checks
    const checks = Promise.all([
      answers('database', options.database, timeoutMs),
      answers('queue', options.queue, timeoutMs),
      answers('migrations', options.missingMigrations, timeoutMs, (missing) =>
        missing.length === 0 ? undefined : `missing: ${missing.join(', ')}; run \`xcore migrate\``,
      ),
    ])
    // While it is being found out, others share it.
    known = { until: Infinity, checks }
    void checks.then(() => (known = { until: performance.now() + cacheMs, checks }))
    return checks
  }

  return async () => {
    const checks = [processCheck(options.draining), ...(await outside()), pluginCheck(options.plugins())]
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
