import { pathToFileURL } from 'node:url'
import { XCoreError, messageOf } from '../../../errors/index.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { LoadedPlugin, PluginSource, Runner } from '../../runner.ts'
import { handedOver, serviceDirectory } from '../trusted/runner.ts'
import { bundlePlugin } from './host/bundle-plugin.ts'
import { engineOperations } from './host/calls.ts'
import type { Operation } from './host/calls.ts'
import type { Work } from './host/end.ts'
import { scheduleOperations } from './host/schedules.ts'
import { databaseOperations } from './host/transactions.ts'
import type { SubscriptionFrame } from './wire/frames.ts'
import { fetchOperation } from './host/fetch.ts'
import { planOf, prepareGround, requireRing } from './host/ground.ts'
import type { Ground } from './host/ground.ts'
import { SandboxedPlugin } from './host/plugin.ts'
import { sandboxRoutes } from './host/routes.ts'
import { withinServiceRate } from './host/service-rate.ts'
import { serviceOperation } from './host/services.ts'
import { stackMap } from './host/stack-map.ts'
import { Supervisor } from './host/supervisor.ts'
import type { Ring } from './host/rings.ts'

export interface SandboxedRunnerOptions {
  /** The least ring that a plugin may run in; below it `sandbox_unsupported`. Default: `permission`. */
  readonly require?: Ring
  /** The ring to use, for tests of the weaker ones. Default: the strongest that this machine has. */
  readonly ring?: Ring
  readonly logger: Logger
  /** Counts each start after the first one, by why the one before ended. */
  readonly onRestart?: (plugin: string, reason: string) => void
}

/** All that the sandboxed code may ask for. */
function operationsOf(source: PluginSource, own: Supervisor): Readonly<Record<string, Operation>> {
  const { manifest, permissions, platform, now } = source
  const contextOf = (work: Work) => own.contextOf(work)
  const services = serviceDirectory(source, own.gone)
  const context = {
    plugin: manifest.name,
    permissions,
    platform,
    now,
    contextOf,
    async subscribe(subscription: SubscriptionFrame) {
      permissions.check(`events:${subscription.pattern}`, 'subscribe')
      await own.offer.subscribe(subscription)
    },
    unsubscribe: (id: string) => own.offer.unsubscribe(id),
  }
  const operations = {
    ...engineOperations(context),
    ...databaseOperations({ ...context, db: () => services('db'), transactionOf: (work) => contextOf(work).transaction }),
    ...scheduleOperations({
      manifest,
      permissions,
      registry: platform.schedules,
      collect: (schedules) => own.offer.schedule(schedules),
      now,
    }),
    fetch: fetchOperation({ manifest, permissions, contextOf, now }),
    service: serviceOperation(services),
  }
  return withinServiceRate(manifest, operations, () => performance.now())
}

/** A runner with what it owns: bundles on disk, users. */
export interface SandboxedRunner extends Runner, AsyncDisposable {
  /** Supervisors of the plugins that are loaded, for tests and benches. */
  readonly supervisors: ReadonlyMap<string, Supervisor>
}

/** Told once, when the first sandboxed plugin loads. */
const WEAK_RING =
  'Sandboxed plugins run in the ring permission: nothing but the permission model of Node stands between their code and this machine. ' +
  'For code of strangers start XCore as root with util-linux, or install bubblewrap, and set sandbox.require to uid or bwrap (docs/sandbox.md)'

/** Makes it possible to run plugins in processes of their own. Nothing is prepared before the first plugin asks for it. */
export function createSandboxedRunner(options: SandboxedRunnerOptions): SandboxedRunner {
  const supervisors = new Map<string, Supervisor>()
  let ground: Promise<Ground> | undefined
  let lastSlot = 0

  async function prepare(): Promise<Ground> {
    const made = await prepareGround(lastSlot++, options.ring)
    const { ring, missing } = made.probed
    if (ring === 'permission') options.logger.warn({ ring, missing }, WEAK_RING)
    else options.logger.info({ ring, missing }, `Sandboxed plugins run in the ring ${ring}`)
    return made
  }

  async function load(source: PluginSource): Promise<LoadedPlugin> {
    const { manifest } = source
    const standing = await (ground ??= prepare())
    const { folder, program, probed } = standing
    requireRing(probed, options.require ?? 'permission', manifest.name)
    const bundle = await bundlePlugin(source.folder, manifest.entryPoint, folder)
    const plan = planOf(standing, bundle.path, manifest, lastSlot++)
    const stacks = stackMap({ bundle: bundle.path, program, map: bundle.sourceMap })
    const { permissions } = source
    const supervisor = new Supervisor({
      source,
      ring: probed.ring,
      now: () => Date.now(),
      onRestart: (reason) => options.onRestart?.(manifest.name, reason),
      process: (previousState) => ({
        plan,
        logger: source.logger,
        stacks,
        bootMs: 10_000,
        init: {
          declareOnly: false,
          plugin: manifest.name,
          version: manifest.version,
          bundle: pathToFileURL(bundle.path).href,
          entryPoint: manifest.entryPoint,
          env: source.env,
          config: manifest.config,
          maxAttempts: manifest.runtime.retry.maxAttempts,
          deadlines: source.deadlines,
          services: [...Object.keys(source.services), 'scheduler'],
          previousState,
          permissions: manifest.permissions === null ? null : [...manifest.permissions],
          level: source.logger.level,
        },
      }),
      operations: (own) => operationsOf(source, own),
    })
    try {
      await supervisor.load(await handedOver(source))
      for (const { pattern } of supervisor.offer.subscriptions()) permissions.check(`events:${pattern}`, 'subscribe')
    } catch (thrown) {
      await supervisor.unload('shutdown').catch(() => {})
      if (thrown instanceof XCoreError && thrown.code !== 'internal_error') throw thrown
      throw new XCoreError('plugin_load_failed', `plugin ${manifest.name} could not be loaded: ${messageOf(thrown)}`, { cause: thrown })
    }
    supervisors.set(manifest.name, supervisor)
    const middleware = supervisor.loaded.routes ? sandboxRoutes(supervisor, manifest.resources.timeoutSeconds) : null
    return new SandboxedPlugin(supervisor, middleware)
  }

  return {
    supervisors,
    load,
    async [Symbol.asyncDispose]() {
      const made = await ground?.catch(() => undefined)
      await made?.[Symbol.asyncDispose]()
    },
  }
}
