import type { PluginMetrics } from '@xcore/sdk'
import { XCoreError, messageOf } from '../errors/index.ts'
import type { PluginName } from '../event-log/index.ts'
import { discoverPlugins, orderPlugins, readPluginEnv, type ExecutionMode, type Manifest } from '../manifest/index.ts'
import type { Logger, Metrics } from '../telemetry/index.ts'
import type { AskedDenial } from './permissions/denial-log.ts'
import { createPermissions } from './permissions/permissions.ts'
import { PluginRecord } from './plugin-record.ts'
import type { PluginHost, PluginPlatform, PluginState, ServiceFactory } from './port.ts'
import type { HookDeadlines, Runner } from './runner.ts'
import type { Ring } from './runners/sandboxed/host/rings.ts'
import { createSandboxedRunner } from './runners/sandboxed/runner.ts'
import type { SandboxedRunner } from './runners/sandboxed/runner.ts'
import { trustedRunner } from './runners/trusted/runner.ts'
import { running } from './runners/trusted/running.ts'
import { SdkResolution } from './runners/trusted/sdk-resolution.ts'

export interface PluginHostOptions {
  /** The folder that holds the plugins' folders. */
  readonly dir: string
  /** What `framework_version` of the manifests is held against. */
  readonly frameworkVersion: string
  /** Where `${VAR}` of the manifests' `env` comes from. */
  readonly hostEnv: Readonly<Record<string, string | undefined>>
  readonly logger: Logger
  /** Where `xcore_plugin_state` is kept. Default: nowhere. */
  readonly metrics?: Pick<Metrics, 'pluginState'> & Partial<Pick<Metrics, 'sandboxRestartsTotal'>>
  /** Makes each plugin's `ctx.metrics`. Default: numbers are dropped. */
  readonly pluginMetrics?: (plugin: PluginName) => PluginMetrics
  /** What `getService` hands out, by name. Default: nothing. */
  readonly services?: Readonly<Record<string, ServiceFactory>>
  /** Told of every denied permission. Default: nobody. */
  readonly onDenied?: (denial: AskedDenial) => void
  /** Default: the system's. */
  readonly clock?: { now(): Date }
  /** The least ring for sandboxed plugins (`sandbox.require`), and the one to use in tests of weaker ones. Default: the strongest there is. */
  readonly sandbox?: { readonly require?: Ring; readonly ring?: Ring }
  /** Milliseconds. Default: 30,000 for the import and for `onLoad`, 10,000 for `onUnload`. */
  readonly deadlines?: Partial<HookDeadlines>
}

const STATES = ['discovered', 'loading', 'ready', 'draining', 'unloaded', 'failed'] as const satisfies readonly PluginState[]
const DROPPED: PluginMetrics = { increment() {}, set() {}, observe() {} }

export function createPluginHost(options: PluginHostOptions): PluginHost {
  return new Host(options)
}

class Host implements PluginHost {
  readonly #options: PluginHostOptions
  #records: readonly PluginRecord[] = []
  /** Of two folders with one name, the one that may use it. */
  #byName: ReadonlyMap<string, PluginRecord> = new Map()
  readonly #readyOrder: PluginRecord[] = []
  #resolution: SdkResolution | undefined
  #loading: Promise<void> = Promise.resolve()
  #stopping = false
  readonly #sandboxed: SandboxedRunner
  readonly #runners: Readonly<Partial<Record<ExecutionMode, Runner>>>

  constructor(options: PluginHostOptions) {
    this.#options = options
    this.#sandboxed = createSandboxedRunner({
      logger: options.logger,
      ...options.sandbox,
      onRestart: (plugin, reason) => options.metrics?.sandboxRestartsTotal?.inc({ plugin, reason }),
    })
    this.#runners = { trusted: trustedRunner, sandboxed: this.#sandboxed }
  }

  find(plugin: string) {
    return this.#byName.get(plugin)?.runnable ?? undefined
  }

  runnable() {
    return [...this.#byName.values()].map((record) => record.runnable).filter((plugin) => plugin !== null)
  }

  refusal(plugin: string) {
    return this.#byName.get(plugin)?.refusal()
  }

  statuses() {
    return this.#records.map((record) => record.status())
  }

  status(name: string) {
    return this.#byName.get(name)?.status()
  }

  routes(name: string) {
    return this.#byName.get(name)?.routes()
  }

  resume(name: string) {
    const loaded = this.#byName.get(name)?.loaded
    if (loaded?.resume === undefined) return false
    loaded.resume()
    return true
  }

  loadAll(platform: PluginPlatform): Promise<void> {
    if (this.#resolution !== undefined)
      return Promise.reject(new XCoreError('internal_error', 'loadAll was called twice on one plugin host'))
    this.#resolution = new SdkResolution()
    this.#loading = this.#loadAll(platform, this.#resolution)
    return this.#loading
  }

  async unloadAll(): Promise<void> {
    this.#stopping = true
    // What is being loaded now ends at its deadline at the latest, and is unloaded like the others.
    await this.#loading.catch(() => {})
    const ready = this.#readyOrder.splice(0).reverse()
    for (const record of ready) record.advance('drain')
    for (const record of ready) await this.#unload(record)
    await this.#sandboxed[Symbol.asyncDispose]()
    this.#resolution?.[Symbol.dispose]()
  }

  async #loadAll(platform: PluginPlatform, resolution: SdkResolution): Promise<void> {
    const discovered = await discoverPlugins(this.#options.dir)
    const { order, refused } = orderPlugins(
      discovered.filter((plugin) => plugin.ok).map((plugin) => plugin.manifest),
      this.#options.frameworkVersion,
    )
    const byName = new Map<string, PluginRecord>()
    this.#records = discovered.map((plugin) => {
      const name = plugin.ok ? plugin.manifest.name : plugin.name
      const logger = this.#options.logger.child({ plugin: name })
      const record = new PluginRecord(
        { name, folder: plugin.folder, manifest: plugin.ok ? plugin.manifest : null },
        logger,
        this.#stateMetric(byName),
      )
      if (plugin.ok || !byName.has(name)) byName.set(name, record)
      const error = plugin.ok ? refused.get(name) : plugin.error
      if (error !== undefined) record.failed(error)
      return record
    })
    this.#byName = byName
    await this.#forgetGone(
      platform,
      discovered.some((plugin) => !plugin.ok),
    )
    await this.#loadInOrder(order, platform, resolution)
  }

  /** Each as soon as what it requires is ready, so that a slow one delays only those that need it. */
  async #loadInOrder(order: readonly Manifest[], platform: PluginPlatform, resolution: SdkResolution): Promise<void> {
    const loads = new Map<string, Promise<void>>()
    for (const manifest of order) {
      const record = this.#byName.get(manifest.name)
      if (record === undefined) continue
      const required = manifest.requires.map(({ name }) => loads.get(name))
      loads.set(
        manifest.name,
        Promise.all(required).then(() => this.#load(record, manifest, platform, resolution)),
      )
    }
    await Promise.all(loads.values())
  }

  async #load(record: PluginRecord, manifest: Manifest, platform: PluginPlatform, resolution: SdkResolution): Promise<void> {
    if (this.#stopping) return
    const missing = manifest.requires.find(({ name }) => this.#byName.get(name)?.state !== 'ready')
    if (missing !== undefined) {
      const cause = this.#byName.get(missing.name)?.refusal()?.message ?? 'it is not here'
      record.failed(
        new XCoreError(
          'dependency_missing',
          `plugin ${manifest.name} requires ${missing.name}, which did not load (${cause}); fix that one first`,
        ),
      )
      return
    }
    record.advance('load')
    try {
      const { logger, services = {}, clock, deadlines, pluginMetrics, hostEnv } = this.#options
      const runner = this.#runners[manifest.executionMode]
      if (runner === undefined) throw unsupported(manifest)
      await resolution.add(record.folder)
      const loaded = await runner.load({
        manifest,
        folder: record.folder,
        env: await readPluginEnv(record.folder, manifest, hostEnv),
        logger: logger.child({ plugin: manifest.name }),
        metrics: pluginMetrics?.(manifest.name) ?? DROPPED,
        permissions: createPermissions(manifest, (denial) =>
          this.#options.onDenied?.({ ...denial, plugin: manifest.name, job: running.getStore()?.job ?? null }),
        ),
        platform,
        services,
        deadlines: { load: deadlines?.load ?? 30_000, unload: deadlines?.unload ?? 10_000 },
        now: () => clock?.now() ?? new Date(),
      })
      record.loadedAs(loaded, manifest)
      this.#readyOrder.push(record)
    } catch (thrown) {
      record.failed(thrown instanceof XCoreError ? thrown : new XCoreError('plugin_load_failed', messageOf(thrown), { cause: thrown }))
    }
  }

  async #unload(record: PluginRecord): Promise<void> {
    try {
      await record.loaded?.unload()
      record.advance('unloaded')
    } catch (thrown) {
      record.failed(thrown instanceof XCoreError ? thrown : new XCoreError('plugin_unload_failed', messageOf(thrown), { cause: thrown }))
    }
  }

  /** Drops subscriptions of plugins whose folders are gone; not while a folder is unreadable, whose plugin might be it. */
  async #forgetGone(platform: PluginPlatform, uncertain: boolean): Promise<void> {
    if (uncertain) return
    try {
      const names = this.#records.map((record) => record.manifest?.name).filter((name) => name !== undefined)
      const dropped = await platform.subscriptions.retain(names)
      if (dropped.length > 0) this.#options.logger.info({ plugins: dropped }, 'dropped the subscriptions of plugins that are gone')
    } catch (thrown) {
      this.#options.logger.error({ err: thrown }, 'the subscriptions of plugins that are gone could not be dropped')
    }
  }

  // A second folder with a taken name must not overwrite what is said of the first.
  #stateMetric(byName: ReadonlyMap<string, PluginRecord>) {
    return (plugin: string, state: PluginState): void => {
      const first = byName.get(plugin)
      if (first !== undefined && first.state !== state) return
      for (const each of STATES) this.#options.metrics?.pluginState.set({ plugin, state: each }, each === state ? 1 : 0)
    }
  }
}

function unsupported(manifest: Manifest): XCoreError {
  return new XCoreError(
    'plugin_load_failed',
    `plugin ${manifest.name}: execution_mode ${manifest.executionMode} is not supported by this version of XCore; ` +
      'use `execution_mode: trusted` if you trust its code with everything this process may do',
  )
}
