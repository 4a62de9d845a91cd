import { attach } from '../../../sdk/base.ts'
import type { PluginContext, TrustedBase } from '@xcore/sdk'
import { XCoreError, didYouMean, messageOf } from '../../../errors/index.ts'
import { withDeadline } from '../../deadline.ts'
import type { PluginSource, Runner } from '../../runner.ts'
import { declaredActions } from './actions.ts'
import { TrustedCalls } from './calls.ts'
import { TrustedEvents } from './events.ts'
import { instantiate } from './import-entry.ts'
import { TrustedPlugin, type TrustedPluginParts } from './plugin.ts'
import { pluginRoutes } from './routes.ts'
import { inHook, running } from './running.ts'
import { TrustedSchedules } from './schedules.ts'

/** Runs plugins in this process, with all its rights. */
export const trustedRunner: Runner = {
  load: (source) => loadInstance(source, () => instantiate(source.entryUrl, source.folder, source.manifest.entryPoint)),
}

/** Loads a plugin in this process, whichever way its instance comes about; also how a sandbox runs the plugin inside of it. */
export async function loadInstance(source: PluginSource, instantiated: () => Promise<TrustedBase>): Promise<TrustedPlugin> {
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
  try {
    const parts = await running.run(inHook(manifest.name, source.logger, source.permissions), () =>
      start(source, instantiated, events, gone.signal),
    )
    return new TrustedPlugin({ source, events, gone, ...parts })
  } catch (thrown) {
    events.close()
    gone.abort()
    if (thrown instanceof XCoreError && thrown.code === 'plugin_load_failed') throw thrown
    throw new XCoreError('plugin_load_failed', `plugin ${manifest.name} could not be loaded: ${messageOf(thrown)}`, { cause: thrown })
  }
}

/** All that runs the plugin's own code. */
async function start(
  source: PluginSource,
  instantiated: () => Promise<TrustedBase>,
  events: TrustedEvents,
  signal: AbortSignal,
): Promise<Pick<TrustedPluginParts, 'instance' | 'actions' | 'middleware' | 'schedules'>> {
  const { manifest, deadlines } = source
  const instance = await withDeadline(deadlines.load, `the import of ${manifest.entryPoint}`, instantiated)
  const schedules = new TrustedSchedules({
    plugin: manifest.name,
    version: manifest.version,
    priority: manifest.priority,
    maxAttempts: manifest.runtime.retry.maxAttempts,
    instance,
    registry: source.platform.schedules,
    logger: source.logger,
    now: source.now,
  })
  const services = { ...source.services, scheduler: () => schedules }
  inject(instance, { ...source, services }, events, signal, await handedOver(source))
  await withDeadline(deadlines.load, 'onLoad', () => instance.onLoad()).catch((thrown: unknown) => {
    throw new XCoreError('plugin_load_failed', `onLoad of plugin ${manifest.name} failed: ${messageOf(thrown)}`, { cause: thrown })
  })
  const actions = declaredActions(instance.actions)
  const middleware = await withDeadline(deadlines.load, 'getRouter', () => pluginRoutes(instance, source, signal))
  return { instance, actions, middleware, schedules }
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

function inject(instance: TrustedBase, source: PluginSource, events: TrustedEvents, signal: AbortSignal, previousState: unknown): void {
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
          maxDiskMb: manifest.resources.maxDiskMb,
          signal,
        }),
      )
    return made.get(name)
  }
}
