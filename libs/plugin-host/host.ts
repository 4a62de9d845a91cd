import { XCoreError, messageOf } from '../errors/index.ts'
import { discoverPlugin, discoverPlugins, orderPlugins, type DiscoveredPlugin, type Manifest } from '../manifest/index.ts'
import type { Instance } from './instance.ts'
import { InstanceLoader } from './load-instance.ts'
import type { PluginHostOptions } from './options.ts'
import type { PluginRecord } from './plugin-record.ts'
import { PluginRecords } from './records.ts'
import type { LifecycleNews, PluginHost, PluginPlatform, PluginStatus, PluginSwitch } from './port.ts'

export function createPluginHost(options: PluginHostOptions): PluginHost {
  return new Host(options)
}

type Listener = (plugin: string) => void | Promise<void>

class Host implements PluginHost {
  readonly #options: PluginHostOptions
  readonly #records: PluginRecords
  #readyOrder: PluginRecord[] = []
  readonly #listeners = new Set<Listener>()
  /** Instances that were replaced and still run something. */
  readonly #leaving = new Set<Promise<void>>()
  readonly #hurry = new AbortController()
  #platform: PluginPlatform | undefined
  #loader: InstanceLoader | undefined
  /** Changes take turns: loads, reloads and unloads of one process never overlap, but for `loadAll`, which knows what it does. */
  #turn: Promise<unknown> = Promise.resolve()
  #stopping = false

  constructor(options: PluginHostOptions) {
    this.#options = options
    this.#records = new PluginRecords(options)
  }

  find(plugin: string) {
    return this.#records.find(plugin)?.runnable ?? undefined
  }

  runnable() {
    return this.#records.ready().flatMap((record) => record.runnable ?? [])
  }

  refusal(plugin: string) {
    return this.#records.find(plugin)?.refusal()
  }

  statuses() {
    return this.#records.all.map((record) => this.#records.statusOf(record))
  }

  status(name: string) {
    const record = this.#records.find(name)
    return record === undefined ? undefined : this.#records.statusOf(record)
  }

  routes(name: string) {
    return this.#records.find(name)?.routes()
  }

  isPaused(plugin: string) {
    return this.#records.isPaused(plugin)
  }

  onChange(listener: Listener) {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  requiredBy(plugin: string) {
    return this.#records.ready().flatMap(({ manifest }) => (manifest?.requires.some(({ name }) => name === plugin) ? [manifest.name] : []))
  }

  loadAll(platform: PluginPlatform, switches: readonly PluginSwitch[] = []): Promise<void> {
    if (this.#loader !== undefined) return Promise.reject(new XCoreError('internal_error', 'loadAll was called twice on one plugin host'))
    this.#platform = platform
    this.#loader = new InstanceLoader(this.#options, platform)
    return this.#next(() => this.#loadAll(platform, switches))
  }

  load(name: string): Promise<PluginStatus> {
    return this.#next(async () => {
      const known = this.#records.find(name)
      if (known?.state === 'ready') return this.#records.statusOf(known)
      const found = await this.#rediscover(name, known)
      const record = this.#records.adopt(found)
      if (!found.ok) throw this.#refuse(record, found.error)
      const refused = this.#records.misfit(found.manifest)
      if (refused !== undefined) throw this.#refuse(record, refused)
      await this.#load(record, found.manifest)
      return this.#serving(record)
    })
  }

  reload(name: string): Promise<PluginStatus> {
    if (this.#records.find(name)?.state === 'failed') return this.load(name)
    return this.#next(async () => {
      const record = this.#records.get(name)
      const { instance } = record
      if (record.state !== 'ready' || instance === null) {
        throw new XCoreError('not_ready', `plugin ${name} is ${record.state}: expected one that is ready; load it instead`)
      }
      try {
        const manifest = await this.#sameAgain(record)
        const next = await this.#loaderNow().load(record.folder, manifest, () => instance.loaded.handOver())
        await this.#take(record, next)
      } catch (thrown) {
        const error = asLoadError(thrown)
        record.noteError(error)
        this.#tell('failed', record)
        throw error
      }
      this.#letGo(instance)
      this.#tell('reloaded', record)
      await this.#changed(name)
      return this.#records.statusOf(record)
    })
  }

  unload(name: string): Promise<PluginStatus> {
    return this.#next(async () => {
      const record = this.#records.get(name)
      if (record.state !== 'ready') return this.#records.statusOf(record)
      const dependents = this.requiredBy(name)
      if (dependents.length > 0) {
        throw new XCoreError('plugin_required', `plugin ${name} is required by ${dependents.join(', ')}; unload them first`)
      }
      record.advance('drain')
      this.#readyOrder = this.#readyOrder.filter((each) => each !== record)
      // Consumers and whoever else holds on to it end what they do with it.
      await this.#changed(name)
      const failed = await this.#unload(record, 'unload')
      const { manifest } = record
      // It is gone for good: neither events nor firings are to pile up for it.
      if (manifest !== null) {
        await this.#platform?.subscriptions.replace(manifest.name, manifest.version, [])
        await this.#platform?.schedules.forget(manifest.name)
      }
      if (failed !== undefined) throw failed
      this.#tell('unloaded', record)
      return this.#records.statusOf(record)
    })
  }

  pause(name: string, paused: boolean): Promise<PluginStatus> {
    return this.#next(async () => {
      const record = this.#records.get(name)
      this.#records.setPaused(name, paused)
      if (!paused) record?.instance?.loaded.resume?.()
      await this.#changed(name)
      return this.#records.statusOf(record)
    })
  }

  async unloadAll(): Promise<void> {
    this.#stopping = true
    this.#hurry.abort()
    // What is being loaded now ends at its deadline at the latest, and is unloaded like the others.
    await this.#turn.catch(() => {})
    await Promise.all(this.#leaving)
    const ready = this.#readyOrder.splice(0).reverse()
    for (const record of ready) record.advance('drain')
    for (const record of ready) await this.#unload(record, 'shutdown')
    await this.#loader?.[Symbol.asyncDispose]()
  }

  async #loadAll(platform: PluginPlatform, switches: readonly PluginSwitch[]): Promise<void> {
    const discovered = await discoverPlugins(this.#options.dir)
    const { order, refused } = orderPlugins(
      discovered.filter((plugin) => plugin.ok).map((plugin) => plugin.manifest),
      this.#options.frameworkVersion,
    )
    for (const { plugin, paused } of switches) this.#records.setPaused(plugin, paused)
    for (const plugin of discovered) {
      const record = this.#records.adopt(plugin)
      const error = plugin.ok ? refused.get(record.name) : plugin.error
      if (error !== undefined) this.#refuse(record, error)
      else if (switches.some((each) => each.unloaded && each.plugin === record.name)) record.advance('unloaded')
    }
    await this.#forgetGone(
      platform,
      discovered.some((plugin) => !plugin.ok),
    )
    await this.#loadInOrder(order)
  }

  /** Each as soon as what it requires is ready, so that a slow one delays only those that need it. */
  async #loadInOrder(order: readonly Manifest[]): Promise<void> {
    const loads = new Map<string, Promise<void>>()
    for (const manifest of order) {
      const record = this.#records.find(manifest.name)
      if (record?.state !== 'discovered') continue
      const required = manifest.requires.map(({ name }) => loads.get(name))
      loads.set(
        manifest.name,
        Promise.all(required).then(() => this.#load(record, manifest)),
      )
    }
    await Promise.all(loads.values())
  }

  /** Never rejects: a plugin that can't be loaded is listed as failed. */
  async #load(record: PluginRecord, manifest: Manifest): Promise<void> {
    if (this.#stopping) return
    const missing = this.#records.missing(manifest)
    if (missing !== undefined) {
      this.#refuse(record, missing)
      return
    }
    record.advance('load')
    try {
      await this.#take(record, await this.#loaderNow().load(record.folder, manifest, null))
      this.#readyOrder.push(record)
    } catch (thrown) {
      this.#refuse(record, asLoadError(thrown))
      return
    }
    this.#tell('loaded', record)
    await this.#changed(record.name)
  }

  /** An instance that nobody may know of must not be left running. */
  async #take(record: PluginRecord, instance: Instance): Promise<void> {
    try {
      await record.take(instance)
    } catch (thrown) {
      await instance.leave('shutdown', AbortSignal.abort()).catch((err: unknown) => this.#logOf(record).error({ err }, messageOf(err)))
      throw thrown
    }
  }

  /** Never rejects: returns what went wrong; the plugin is gone all the same. */
  async #unload(record: PluginRecord, why: 'shutdown' | 'unload'): Promise<XCoreError | undefined> {
    try {
      await record.instance?.leave(why, this.#hurry.signal)
      record.advance('unloaded')
      return undefined
    } catch (thrown) {
      const error = thrown instanceof XCoreError ? thrown : new XCoreError('plugin_unload_failed', messageOf(thrown), { cause: thrown })
      record.failed(error)
      return error
    }
  }

  #letGo(instance: Instance): void {
    const left = instance
      .leave('reload', this.#hurry.signal)
      .catch((thrown: unknown) =>
        this.#options.logger.error({ plugin: instance.manifest.name, err: thrown }, `after a reload: ${messageOf(thrown)}`),
      )
      .finally(() => this.#leaving.delete(left))
    this.#leaving.add(left)
  }

  async #rediscover(name: string, known: PluginRecord | undefined): Promise<DiscoveredPlugin> {
    const found =
      known === undefined
        ? (await discoverPlugins(this.#options.dir)).find((plugin) => (plugin.ok ? plugin.manifest.name : plugin.name) === name)
        : await discoverPlugin(known.folder)
    if (found !== undefined) return found
    throw new XCoreError('not_found', `There is no plugin "${name}" in ${this.#options.dir}; add its folder, or correct the name.`)
  }

  async #sameAgain(record: PluginRecord): Promise<Manifest> {
    const found = await discoverPlugin(record.folder)
    if (found === undefined)
      throw new XCoreError('plugin_load_failed', `plugin ${record.name}: its folder has no manifest any more; unload it`)
    if (!found.ok) throw found.error
    if (found.manifest.name !== record.name) {
      throw new XCoreError(
        'plugin_load_failed',
        `plugin ${record.name} calls itself ${found.manifest.name} now: expected the same name; unload the one and load the other`,
      )
    }
    const refused = this.#records.misfit(found.manifest)
    if (refused !== undefined) throw refused
    return found.manifest
  }

  #refuse(record: PluginRecord, error: XCoreError): XCoreError {
    record.failed(error)
    this.#tell('failed', record)
    return error
  }

  /** Drops subscriptions and schedules of plugins whose folders are gone; not while a folder is unreadable, whose plugin might be it. */
  async #forgetGone(platform: PluginPlatform, uncertain: boolean): Promise<void> {
    if (uncertain || this.#options.forgetGone === false) return
    try {
      const names = this.#records.all.map((record) => record.manifest?.name).filter((name) => name !== undefined)
      const dropped = [...(await platform.subscriptions.retain(names)), ...(await platform.schedules.retain(names))]
      if (dropped.length > 0)
        this.#options.logger.info({ plugins: [...new Set(dropped)] }, 'dropped the subscriptions and schedules of plugins that are gone')
    } catch (thrown) {
      this.#options.logger.error({ err: thrown }, 'the subscriptions and schedules of plugins that are gone could not be dropped')
    }
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn
      .catch(() => {})
      .then(() => {
        if (this.#stopping) throw new XCoreError('not_ready', 'this process is stopping')
        return work()
      })
    this.#turn = done
    return done
  }

  async #changed(plugin: string): Promise<void> {
    const told = await Promise.allSettled([...this.#listeners].map(async (listener) => listener(plugin)))
    for (const { reason } of told.filter((each) => each.status === 'rejected')) {
      this.#options.logger.error({ plugin, err: reason }, 'what follows from a change of the plugin could not be done')
    }
  }

  #tell(kind: LifecycleNews['kind'], record: PluginRecord): void {
    const error = kind === 'failed' ? record.lastError : null
    this.#options.onNews?.({ kind, plugin: record.name, version: record.manifest?.version ?? null, error })
  }

  #serving(record: PluginRecord): PluginStatus {
    if (record.state !== 'ready') throw this.#errorOf(record)
    return this.#records.statusOf(record)
  }

  #errorOf(record: PluginRecord): XCoreError {
    const { code, message } = record.lastError ?? { code: 'not_ready', message: `plugin ${record.name} is ${record.state}` }
    return new XCoreError(code, message)
  }

  #loaderNow(): InstanceLoader {
    if (this.#loader === undefined) throw new XCoreError('internal_error', 'a plugin was asked for before loadAll')
    return this.#loader
  }

  #logOf(record: PluginRecord) {
    return this.#options.logger.child({ plugin: record.name })
  }
}

function asLoadError(thrown: unknown): XCoreError {
  return thrown instanceof XCoreError ? thrown : new XCoreError('plugin_load_failed', messageOf(thrown), { cause: thrown })
}
