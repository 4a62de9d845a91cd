import type { RunnablePlugin } from '../engine/plugin-port.ts'
import { XCoreError, type ErrorCode } from '../errors/index.ts'
import { compileGlob } from '../event-log/glob.ts'
import { manifestForDisplay, type Manifest } from '../manifest/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import { transition, type LifecycleEvent } from './lifecycle.ts'
import type { PluginRoutes, PluginState, PluginStatus } from './port.ts'
import type { LoadedPlugin } from './runner.ts'
import { jobSettings, pluginLimits } from './settings.ts'

export type PluginStateListener = (plugin: string, state: PluginState) => void

/** One plugin folder and where it stands in its life. */
export class PluginRecord {
  readonly name: string
  readonly folder: string
  readonly manifest: Manifest | null
  readonly #onState: PluginStateListener
  readonly #logger: Logger
  #state: PluginState = 'discovered'
  #lastError: { readonly code: ErrorCode; readonly message: string } | null = null
  #loaded: LoadedPlugin | null = null
  #runnable: RunnablePlugin | null = null

  constructor(
    plugin: { readonly name: string; readonly folder: string; readonly manifest: Manifest | null },
    logger: Logger,
    onState: PluginStateListener,
  ) {
    this.name = plugin.name
    this.folder = plugin.folder
    this.manifest = plugin.manifest
    this.#logger = logger
    this.#onState = onState
    onState(this.name, this.#state)
  }

  get state(): PluginState {
    return this.#state
  }
  get loaded(): LoadedPlugin | null {
    return this.#loaded
  }
  /** null unless it is ready. */
  get runnable(): RunnablePlugin | null {
    return this.#state === 'ready' && this.#loaded?.refusal?.() === undefined ? this.#runnable : null
  }

  /** Throws XCoreError `internal_error` for an event that has no place in the present state. */
  advance(event: Exclude<LifecycleEvent, 'fail' | 'loaded'>): void {
    this.#enter(event)
  }

  loadedAs(loaded: LoadedPlugin, manifest: Manifest): void {
    this.#loaded = loaded
    this.#runnable = runnable(loaded, manifest)
    this.#lastError = null
    this.#enter('loaded')
  }

  failed(error: XCoreError): void {
    this.#lastError = { code: error.code, message: error.message }
    this.#enter('fail')
    this.#logger.error({ code: error.code, err: error.cause ?? error }, error.message)
  }

  refusal(): { readonly code: ErrorCode; readonly message: string } | undefined {
    switch (this.#state) {
      case 'ready':
        return this.#loaded?.refusal?.()
      case 'failed':
        return this.#lastError ?? { code: 'plugin_load_failed', message: `plugin ${this.name} failed` }
      default:
        return { code: 'not_ready', message: `plugin ${this.name} is ${this.#state}` }
    }
  }

  status(): PluginStatus {
    const loaded = this.#state === 'ready' || this.#state === 'draining' ? this.#loaded : null
    return {
      name: this.name,
      folder: this.folder,
      version: this.manifest?.version ?? null,
      state: this.#state,
      manifest: this.manifest === null ? null : manifestForDisplay(this.manifest),
      lastError: this.#lastError,
      actions: loaded?.actions ?? [],
      sandbox: loaded?.sandbox?.() ?? null,
      subscriptions: loaded?.subscriptions().map(({ id, pattern, priority }) => ({ id, pattern, priority })) ?? [],
    }
  }

  routes(): PluginRoutes | undefined {
    const middleware = this.#state === 'ready' ? this.#loaded?.middleware : null
    if (this.manifest === null || middleware === null || middleware === undefined) return undefined
    const { name, http, resources } = this.manifest
    return {
      plugin: name,
      authRequired: http.auth === 'required',
      timeoutSeconds: resources.timeoutSeconds,
      rateLimit: resources.rateLimit,
      middleware,
    }
  }

  #enter(event: LifecycleEvent): void {
    const next = transition(this.#state, event)
    if (next === undefined) throw new XCoreError('internal_error', `plugin ${this.name}: ${event} has no place in the state ${this.#state}`)
    this.#state = next
    this.#onState(this.name, next)
  }
}

function runnable(loaded: LoadedPlugin, manifest: Manifest): RunnablePlugin {
  return {
    name: manifest.name,
    version: manifest.version,
    limits: pluginLimits(manifest),
    settings: (kind, name) => jobSettings(manifest, kind, name, kind === 'event' ? eventPriority(loaded, name) : undefined),
    accepts: (action, payload) => loaded.accepts(action, payload),
    execute: (invocation) => loaded.execute(invocation),
  }
}

function eventPriority(loaded: LoadedPlugin, eventName: string): number | undefined {
  const fitting = loaded.subscriptions().filter(({ pattern }) => compileGlob(pattern)(eventName))
  return fitting.length === 0 ? undefined : Math.max(...fitting.map(({ priority }) => priority))
}
