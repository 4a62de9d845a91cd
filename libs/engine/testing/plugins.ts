import { pluginName } from '../../event-log/index.ts'
import type { Json, JsonObject } from '../../event-log/index.ts'
import type { HandlerResult, Invocation, JobSettings, PluginDirectory, PluginLimits, RunnablePlugin } from '../plugin-port.ts'

export type TestHandler = (invocation: Invocation) => Promise<HandlerResult> | HandlerResult

export interface TestPlugin {
  readonly handlers: Readonly<Record<string, TestHandler>>
  readonly limits?: Partial<PluginLimits>
  readonly settings?: Partial<JobSettings>
  readonly version?: string
  readonly admits?: (caller: string) => boolean
}

/** A directory of plugins that are functions: the engine's tests need no folders on disk. */
export function testPlugins(plugins: Readonly<Record<string, TestPlugin>>): PluginDirectory {
  const runnable = Object.entries(plugins).map(([name, plugin]) => runnablePlugin(name, plugin))
  return {
    find: (name) => runnable.find((plugin) => plugin.name === name),
    runnable: () => runnable,
    refusal: () => undefined,
  }
}

function runnablePlugin(name: string, plugin: TestPlugin): RunnablePlugin {
  const settings: JobSettings = {
    timeoutSeconds: 10,
    priority: 50,
    retry: { maxAttempts: 3, backoffSeconds: 0.02, maxBackoffSeconds: 0.1 },
    ...plugin.settings,
  }
  const handlerOf = (job: Invocation['job']) => plugin.handlers[job.meta.event?.subscription ?? job.name]
  return {
    name: pluginName(name),
    version: plugin.version ?? '1.0.0',
    limits: { concurrency: 10, rateLimit: null, ...plugin.limits },
    settings: () => settings,
    ...(plugin.admits === undefined ? {} : { admits: plugin.admits }),
    accepts: (action) => (Object.hasOwn(plugin.handlers, action) ? { ok: true } : { ok: false, reason: 'unknown' }),
    async execute(invocation) {
      const handler = handlerOf(invocation.job)
      if (handler === undefined) return { kind: 'error', retryable: false, error: { code: 'no_handler', message: 'gone' } }
      return handler(invocation)
    },
  }
}

export function done(fields: JsonObject = {}): HandlerResult {
  return { kind: 'ok', result: { status: 'ok', ...fields } }
}

export function failed(code: string, options: { retryable?: boolean; details?: Json } = {}): HandlerResult {
  return {
    kind: 'error',
    retryable: options.retryable ?? false,
    error: { code, message: `failed with ${code}`, ...(options.details === undefined ? {} : { details: options.details }) },
  }
}

/** The handler had begun, and was interrupted through no fault of its own. */
export function interrupted(begun = true): HandlerResult {
  return { kind: 'interrupted', error: { code: 'sandbox_interrupted', message: 'a neighbour crashed' }, delaySeconds: 0, begun }
}

export function threw(message: string): HandlerResult {
  return { kind: 'threw', error: { code: 'handler_error', message, stack: 'Error: somewhere inside' } }
}
