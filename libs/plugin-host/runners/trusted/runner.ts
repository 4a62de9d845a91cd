import { attach } from '../../../sdk/base.ts'
import type { PluginContext, TrustedBase } from '@xcore/sdk'
import { XCoreError, didYouMean, messageOf } from '../../../errors/index.ts'
import type { Invocation } from '../../../engine/plugin-port.ts'
import { boundsOf } from '../../bounds.ts'
import { withDeadline } from '../../deadline.ts'
import { HookBook } from '../../hooks/hook-book.ts'
import type { PluginSource, Runner } from '../../runner.ts'
import { declaredActions } from './actions.ts'
import { TrustedCalls } from './calls.ts'
import { TrustedEvents } from './events.ts'
import { instantiate } from './import-entry.ts'
import { TrustedPlugin, type TrustedPluginParts } from './plugin.ts'
import { pluginRoutes } from './routes.ts'
import { inHook, running, type Running } from './running.ts'
import { selfOf } from './self.ts'
import { TrustedSchedules } from './schedules.ts'

/** Runs plugins in this process, with all its rights. */
export const trustedRunner: Runner = runnerOf(instantiate)

/** Makes the plugin's instance of its entry file. Rejects with XCoreError `plugin_load_failed`. */
export type Instantiate = (url: string, folder: string, entryPoint: string) => Promise<TrustedBase>

/** A runner in this process, for entry files of some style. */
export function runnerOf(make: Instantiate): Runner {
  return { load: (source) => loadInstance(source, make) }
}

/** Loads a plugin in this process, whichever way its instance comes about; also how a sandbox runs the plugin inside of it. */
export async function loadInstance(source: PluginSource, make: Instantiate): Promise<TrustedPlugin> {
  const { manifest, platform } = source
  const gone = new AbortController()
  const events = new TrustedEvents({
    plugin: manifest.name,
    version: manifest.version,
    maxAttempts: manifest.runtime.retry.maxAttempts,
    engine: platform.engine,
    registry: platform.subscriptions,
    permissions: source.permissions,
    logger: source.logger,
  })
  const hooks = new HookBook({
    plugin: manifest.name,
    permissions: source.permissions,
    deadline: source.deadlines.hook,
    run: (invocation, work) => running.run(aroundJob(invocation, source), work),
  })
  try {
    const parts = await running.run(inHook(manifest.name, source.logger, source.permissions), () =>
      start(source, make, { events, hooks }, gone.signal),
    )
    return new TrustedPlugin({ source, events, hooks, gone, ...parts })
  } catch (thrown) {
    events.close()
    gone.abort()
    if (thrown instanceof XCoreError && thrown.code === 'plugin_load_failed') throw thrown
    throw new XCoreError('plugin_load_failed', `plugin ${manifest.name} could not be loaded: ${messageOf(thrown)}`, { cause: thrown })
  }
}

interface Books {
  readonly events: TrustedEvents
  readonly hooks: HookBook
}

/** What a hook does, it does for its own plugin, and for the job that it stands around. */
function aroundJob({ job, deadline, signal }: Invocation, { manifest, logger: own, permissions }: PluginSource): Running {
  const logger = own.child({ job: job.id, attempt: job.attempt, correlation_id: job.correlationId })
  return { plugin: manifest.name, job, traceparent: job.meta.traceparent, deadline, signal, permissions, logger }
}

/** All that runs the plugin's own code. */
async function start(
  source: PluginSource,
  make: Instantiate,
  books: Books,
  signal: AbortSignal,
): Promise<Pick<TrustedPluginParts, 'instance' | 'actions' | 'middleware' | 'routes' | 'schedules'>> {
  const { manifest, deadlines } = source
  const instance = await withDeadline(deadlines.load, `the import of ${manifest.entryPoint}`, () =>
    make(source.entryUrl, source.folder, manifest.entryPoint),
  )
  const schedules = new TrustedSchedules({
    plugin: manifest.name,
    version: manifest.version,
    priority: manifest.priority,
    maxAttempts: manifest.runtime.retry.maxAttempts,
    instance: selfOf(instance),
    registry: source.platform.schedules,
    logger: source.logger,
    now: source.now,
  })
  books.hooks.bindTo(selfOf(instance))
  const services = { ...source.services, scheduler: () => schedules }
  inject(instance, { ...source, services }, books, signal, await handedOver(source))
  await withDeadline(deadlines.load, 'onLoad', () => instance.onLoad()).catch((thrown: unknown) => {
    throw new XCoreError('plugin_load_failed', `onLoad of plugin ${manifest.name} failed: ${messageOf(thrown)}`, { cause: thrown })
  })
  const actions = declaredActions(instance.actions)
  const served = await withDeadline(deadlines.load, 'getRouter', () => pluginRoutes(instance, source, signal))
  return { instance, actions, ...served, schedules }
}

/** An old instance that can't hand over must not keep the new one, which may mend it, from taking its place. */
export async function handedOver({ handOver, logger }: PluginSource): Promise<unknown> {
  try {
    return await handOver?.()
  } catch (thrown) {
    logger.error({ err: thrown }, `onReload failed, so the new instance begins without a previousState: ${messageOf(thrown)}`)
    return undefined
  }
}

function inject(instance: TrustedBase, source: PluginSource, { events, hooks }: Books, signal: AbortSignal, previousState: unknown): void {
  const { manifest, platform } = source
  const calls = new TrustedCalls(manifest.name, platform.engine, source.permissions, source.now)
  const ctx: PluginContext = {
    name: manifest.name,
    version: manifest.version,
    env: source.env,
    config: manifest.config,
    get logger() {
      return running.getStore()?.logger ?? source.logger
    },
    events,
    hooks,
    metrics: source.metrics,
    permissions: source.permissions,
    signal,
  }
  attach(instance, {
    ctx: Object.freeze(ctx),
    previousState,
    getService: serviceDirectory(source, signal),
    callPlugin: (...call) => calls.call(...call),
    enqueue: (...call) => calls.enqueue(...call),
  })
}

/** Services with a resource kind of their own. */
const CHECKED_BY_USE: readonly string[] = ['db', 'cache', 'files']

/** What `getService` does, for a plugin here or in a sandbox. */
export function serviceDirectory(source: PluginSource, signal: AbortSignal): (name: string) => unknown {
  const { manifest, folder, logger, services, permissions } = source
  const made = new Map<string, unknown>()
  return (name) => {
    const factory = Object.hasOwn(services, name) ? services[name] : undefined
    if (factory === undefined) {
      const names = Object.keys(services)
      throw new XCoreError(
        'service_unknown',
        `getService: plugin ${manifest.name} asked for ${JSON.stringify(name)}; expected one of: ${names.join(', ') || '(this host has no services)'}.${didYouMean(String(name), names)}`,
      )
    }
    // Each use of these is checked by the service itself: a rule on the service as a whole is only needed to forbid it.
    if (CHECKED_BY_USE.includes(name)) permissions.checkUnlessUnsaid(`service:${name}`, 'execute')
    else permissions.check(`service:${name}`, 'execute')
    if (!made.has(name))
      made.set(
        name,
        factory({
          name: manifest.name,
          version: manifest.version,
          folder,
          logger,
          permissions,
          ...boundsOf(manifest),
          signal,
        }),
      )
    return made.get(name)
  }
}
