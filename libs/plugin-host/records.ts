import { XCoreError } from '../errors/index.ts'
import { orderPlugins, type DiscoveredPlugin, type Manifest } from '../manifest/index.ts'
import { createAround } from './hooks/around.ts'
import type { Hook } from './hooks/hook.ts'
import type { PluginHostOptions } from './options.ts'
import { PluginRecord } from './plugin-record.ts'
import type { PluginState, PluginStatus } from './port.ts'

const STATES = ['discovered', 'loading', 'ready', 'draining', 'unloaded', 'failed'] as const satisfies readonly PluginState[]

/** The plugins that a process knows of, one record a folder. */
export class PluginRecords {
  readonly #options: PluginHostOptions
  #all: readonly PluginRecord[] = []
  /** Of two folders with one name, the one that may use it. */
  readonly #byName = new Map<string, PluginRecord>()
  readonly #paused = new Set<string>()
  readonly #around = createAround(() => this.#hooks())

  constructor(options: PluginHostOptions) {
    this.#options = options
  }

  /** In the order of their folders' names, new ones last. */
  get all(): readonly PluginRecord[] {
    return this.#all
  }

  find(name: string): PluginRecord | undefined {
    return this.#byName.get(name)
  }

  /** Throws XCoreError `not_found`. */
  get(name: string): PluginRecord {
    const record = this.#byName.get(name)
    if (record === undefined) throw new XCoreError('not_found', `There is no plugin "${name}"; GET /admin/plugins lists them.`)
    return record
  }

  ready(): readonly PluginRecord[] {
    return [...this.#byName.values()].filter((record) => record.state === 'ready')
  }

  /** A record for what was found on disk, in place of one of the same folder. */
  adopt(plugin: DiscoveredPlugin): PluginRecord {
    const name = plugin.ok ? plugin.manifest.name : plugin.name
    const before = this.#all.find((record) => record.folder === plugin.folder)
    const record = new PluginRecord(
      { name, folder: plugin.folder, manifest: plugin.ok ? plugin.manifest : null },
      this.#options.logger.child({ plugin: name }),
      (...change) => this.#keepState(...change),
      this.#around,
    )
    this.#all = before === undefined ? [...this.#all, record] : this.#all.map((each) => (each === before ? record : each))
    if (before !== undefined && this.#byName.get(before.name) === before) this.#byName.delete(before.name)
    if (plugin.ok || !this.#byName.has(name)) this.#byName.set(name, record)
    return record
  }

  statusOf(record: PluginRecord): PluginStatus {
    return record.status(this.#paused.has(record.name))
  }

  isPaused(plugin: string): boolean {
    return this.#paused.has(plugin)
  }

  setPaused(plugin: string, paused: boolean): void {
    if (paused) this.#paused.add(plugin)
    else this.#paused.delete(plugin)
  }

  /** Why a manifest does not fit XCore and the plugins that are ready; undefined: it does. */
  misfit(manifest: Manifest): XCoreError | undefined {
    const others = this.ready().flatMap((record) => (record.manifest === null || record.name === manifest.name ? [] : [record.manifest]))
    return orderPlugins([...others, manifest], this.#options.frameworkVersion).refused.get(manifest.name) ?? this.missing(manifest)
  }

  /** Which plugin that it requires is not ready. */
  missing(manifest: Manifest): XCoreError | undefined {
    const missing = manifest.requires.find(({ name }) => this.#byName.get(name)?.state !== 'ready')
    if (missing === undefined) return undefined
    const cause = this.#byName.get(missing.name)?.refusal()?.message ?? 'it is not here'
    return new XCoreError(
      'dependency_missing',
      `plugin ${manifest.name} requires ${missing.name}, which did not load (${cause}); fix that one first`,
    )
  }

  #hooks(): readonly Hook[] {
    const hooks: Hook[] = []
    for (const record of this.#byName.values()) {
      const own = record.state === 'ready' ? record.instance?.loaded.hooks() : undefined
      if (own !== undefined && own.length > 0) hooks.push(...own)
    }
    return hooks
  }

  // A second folder with a taken name must not overwrite what is said of the first.
  #keepState(plugin: string, state: PluginState): void {
    const first = this.#byName.get(plugin)
    if (first !== undefined && first.state !== state) return
    for (const each of STATES) this.#options.metrics?.pluginState.set({ plugin, state: each }, each === state ? 1 : 0)
  }
}
