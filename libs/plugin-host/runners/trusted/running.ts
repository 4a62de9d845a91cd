import { AsyncLocalStorage } from 'node:async_hooks'
import { XCoreError } from '../../../errors/index.ts'
import type { Invocation } from '../../../engine/plugin-port.ts'
import type { Origin } from '../../../engine/port.ts'
import { MAX_DEPTH } from '../../../engine/submit.ts'
import type { Job, PluginName } from '../../../event-log/index.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import { provideHostCheck } from '../../../sdk/fetch.ts'
import type { Permissions } from '../../permissions/permissions.ts'

/** What plugin code runs for: a job, a request to one of its routes, or a hook. */
export interface Running {
  readonly plugin: PluginName
  readonly job: Job | null
  readonly traceparent: string | undefined
  readonly deadline: Date | null
  readonly signal: AbortSignal | null
  readonly logger: Logger
  readonly permissions: Permissions
  /** Of a job: gives its slot to others while `work` waits for a job of the plugin `on`. */
  readonly whileWaiting?: Invocation['whileWaiting']
}

/** Follows plugin code through its awaits, so that what it asks for is joined to what it runs for. */
export const running = new AsyncLocalStorage<Running | undefined>()

provideHostCheck((resource, verb) => running.getStore()?.permissions.check(resource, verb))

/** What the hooks of a plugin run for: nothing but themselves. */
export function inHook(plugin: PluginName, logger: Logger, permissions: Permissions): Running {
  return { plugin, job: null, traceparent: undefined, deadline: null, signal: null, logger, permissions }
}

/** Runs the platform's own code on behalf of a plugin: what it opens and starts there is not the plugin's. */
export function outside<T>(work: () => T): T {
  return running.run(undefined, work)
}

/**
 * The plugin whose code the current asynchronous context belongs to, hooks and what they left behind included. In a handler of
 * `uncaughtException` or `unhandledRejection` it is the context of the error.
 */
export function currentPlugin(): PluginName | undefined {
  return running.getStore()?.plugin
}

/** The origin of what `plugin` asks for now. Throws XCoreError `loop_detected` past `MAX_DEPTH` levels. */
export function originOf(plugin: PluginName, what: string): Origin {
  const current = running.getStore()
  const job = current?.job ?? null
  const depth = (job?.meta.depth ?? 0) + 1
  if (depth > MAX_DEPTH) {
    throw new XCoreError(
      'loop_detected',
      `${what} by plugin ${plugin}: expected a chain of at most ${MAX_DEPTH} events and calls, found one more (correlation id ${job?.correlationId}); ` +
        'plugins seem to set each other off, break the circle',
    )
  }
  return {
    caller: plugin,
    depth,
    ...(job === null ? {} : { correlationId: job.correlationId, causationId: job.id }),
    ...(current?.traceparent === undefined ? {} : { traceparent: current.traceparent }),
  }
}
