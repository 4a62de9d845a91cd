import type { HandlerResult, Invocation, RunnablePlugin } from '../engine/plugin-port.ts'
import { XCoreError, messageOf, type ErrorCode } from '../errors/index.ts'
import { compileGlob } from '../event-log/glob.ts'
import { manifestForDisplay, type Manifest } from '../manifest/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Instance } from './instance.ts'
import { transition, type LifecycleEvent } from './lifecycle.ts'
import type { PluginRoutes, PluginState, PluginStatus } from './port.ts'
import type { LoadedPlugin } from './runner.ts'
import { jobSettings, pluginLimits } from './settings.ts'

export type PluginStateListener = (plugin: string, state: PluginState) => void
/** Runs an attempt on an instance; hooks of other plugins stand around it. */
export type Around = (invocation: Invocation, run: (invocation: Invocation) => Promise<HandlerResult>) => Promise<HandlerResult>

/** One plugin folder and where it stands in its life. */
export class PluginRecord {
  readonly name: string
  readonly folder: string
  readonly #onState: PluginStateListener
  readonly #around: Around
  readonly #logger: Logger
  #manifest: Manifest | null
  #state: PluginState = 'discovered'
  #lastError: { readonly code: ErrorCode; readonly message: string } | null = null
  #instance: Instance | null = null
  /** While an instance takes its place: what is to run waits, so that nothing meets a subscription of the other one. */
  #taking: Promise<void> | null = null
  #runnable: RunnablePlugin | null = null

  constructor(
    plugin: { readonly name: string; readonly folder: string; readonly manifest: Manifest | null },
    logger: Logger,
    onState: PluginStateListener,
    around: Around,
  ) {
    this.name = plugin.name
    this.folder = plugin.folder
    this.#manifest = plugin.manifest
    this.#logger = logger
    this.#onState = onState
    this.#around = around
    onState(this.name, this.#state)
  }

  /** Of the instance that serves; before, as it was last read. */
  get manifest(): Manifest | null {
    return this.#manifest
  }
  get state(): PluginState {
    return this.#state
  }
  get lastError(): { readonly code: ErrorCode; readonly message: string } | null {
    return this.#lastError
  }
  get instance(): Instance | null {
    return this.#instance
  }
  /** null unless it is ready. */
  get runnable(): RunnablePlugin | null {
    return this.#state === 'ready' && this.#instance?.loaded.refusal?.() === undefined ? this.#runnable : null
  }

  /** Throws XCoreError `internal_error` for an event that has no place in the present state. */
  advance(event: Exclude<LifecycleEvent, 'fail' | 'loaded'>): void {
    this.#enter(event)
    if (event === 'unloaded') this.#instance = null
  }

  /**
   * Makes the instance's subscriptions known and lets it serve, in one step for all that runs here. Returns the one it replaces.
   * Rejects when they can't be made known; then nothing has changed.
   */
  async take(instance: Instance): Promise<Instance | null> {
    const taking = Promise.withResolvers<void>()
    this.#taking = taking.promise
    try {
      await instance.loaded.publish()
      const before = this.#instance
      this.#instance = instance
      this.#manifest = instance.manifest
      this.#runnable = this.#runnableOf(instance)
      this.#lastError = null
      if (this.#state !== 'ready') this.#enter('loaded')
      return before
    } finally {
      this.#taking = null
      taking.resolve()
    }
  }

  failed(error: XCoreError): void {
    this.#enter('fail')
    this.#instance = null
    this.noteError(error)
  }

  /** What went wrong while the instance before serves on. */
  noteError(error: XCoreError): void {
    this.#lastError = { code: error.code, message: error.message }
    this.#logger.error({ code: error.code, err: error.cause ?? error }, error.message)
  }

  refusal(): { readonly code: ErrorCode; readonly message: string } | undefined {
    switch (this.#state) {
      case 'ready':
        return this.#instance?.loaded.refusal?.()
      case 'failed':
        return this.#lastError ?? { code: 'plugin_load_failed', message: `plugin ${this.name} failed` }
      default:
        return { code: 'not_ready', message: `plugin ${this.name} is ${this.#state}` }
    }
  }

  status(paused: boolean): PluginStatus {
    const loaded = this.#instance?.loaded
    return {
      name: this.name,
      folder: this.folder,
      version: this.#manifest?.version ?? null,
      state: this.#state,
      manifest: this.#manifest === null ? null : manifestForDisplay(this.#manifest),
      paused,
      lastError: this.#lastError,
      actions: loaded?.actions ?? [],
      sandbox: loaded?.sandbox?.() ?? null,
      routes: loaded?.routes ?? [],
      subscriptions: loaded?.subscriptions().map(({ id, pattern, priority }) => ({ id, pattern, priority })) ?? [],
    }
  }

  routes(): PluginRoutes | undefined {
    return this.#state === 'ready' ? this.#instance?.routes() : undefined
  }

  // Whoever holds this object runs on the instance that serves when the job begins, not on the one it was asked of.
  #runnableOf({ loaded, manifest }: Instance): RunnablePlugin {
    return {
      name: manifest.name,
      version: manifest.version,
      limits: pluginLimits(manifest),
      settings: (kind, name) => jobSettings(manifest, kind, name, kind === 'event' ? eventPriority(loaded, name) : undefined),
      accepts: (action, payload) => loaded.accepts(action, payload),
      ...(loaded.graceMs === undefined ? {} : { graceMs: loaded.graceMs }),
      admits: admission(manifest.allowedCallers),
      execute: (invocation) => this.#execute(invocation),
    }
  }

  async #execute(invocation: Invocation): Promise<HandlerResult> {
    if (this.#taking !== null) await this.#taking
    const instance = this.#instance
    if (instance === null) {
      const message = `plugin ${this.name} was unloaded before the attempt began: ${messageOf(this.refusal()?.message)}`
      return { kind: 'threw', error: { code: 'not_ready', message } }
    }
    return this.#around(invocation, (changed) => instance.execute(changed))
  }

  #enter(event: LifecycleEvent): void {
    const next = transition(this.#state, event)
    if (next === undefined) throw new XCoreError('internal_error', `plugin ${this.name}: ${event} has no place in the state ${this.#state}`)
    this.#state = next
    this.#onState(this.name, next)
  }
}

/** `allowed_callers`: globs of plugin names; null: every plugin. */
function admission(allowedCallers: readonly string[] | null): (caller: string) => boolean {
  if (allowedCallers === null) return () => true
  const fit = allowedCallers.map(compileGlob)
  return (caller) => fit.some((fits) => fits(caller))
}

function eventPriority(loaded: LoadedPlugin, eventName: string): number | undefined {
  const fitting = loaded.subscriptions().filter(({ pattern }) => compileGlob(pattern)(eventName))
  return fitting.length === 0 ? undefined : Math.max(...fitting.map(({ priority }) => priority))
}
