import type { Middleware } from 'koa'
import type { Engine, SubscriptionRegistry } from '../engine/port.ts'
import type { PluginDirectory } from '../engine/plugin-port.ts'
import type { PluginName } from '../event-log/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Permissions } from './permissions/permissions.ts'
import type { SandboxStatus } from './runner.ts'

export type PluginState = 'discovered' | 'loading' | 'ready' | 'draining' | 'unloaded' | 'failed'

export interface PluginStatus {
  /** The folder's name when the manifest could not be read. */
  readonly name: string
  readonly folder: string
  readonly version: string | null
  readonly state: PluginState
  /** The manifest as validated, defaults filled in, `env` values left out; null when it is invalid. */
  readonly manifest: Readonly<Record<string, unknown>> | null
  readonly lastError: { readonly code: string; readonly message: string } | null
  /** Declared actions, with their JSON schemas. */
  readonly actions: readonly { readonly name: string; readonly input: object | null }[]
  /** null: not sandboxed, or not ready. */
  readonly sandbox: SandboxStatus | null
  readonly subscriptions: readonly { readonly id: string; readonly pattern: string; readonly priority: number }[]
}

/** What the host needs of the platform while plugins load and run. */
export interface PluginPlatform {
  readonly engine: Pick<Engine, 'submit' | 'emit' | 'wait'>
  readonly subscriptions: SubscriptionRegistry
}

/** Makes a plugin's own instance of a service, once, when it first asks for it: `getService(NAME)`. */
export type ServiceFactory = (plugin: ServiceOwner) => unknown

export interface ServiceOwner {
  readonly name: PluginName
  readonly version: string
  /** Absolute. */
  readonly folder: string
  /** Carries `plugin`. */
  readonly logger: Logger
  /** What the plugin may do: a service checks each use (`db.<schema>` read, `cache.<key>` write, …). */
  readonly permissions: Permissions
  /** Aborts when this instance of the plugin is unloaded. */
  readonly signal: AbortSignal
}

/** Holds the plugins of this process: discovery, load in dependency order, lifecycle. */
export interface PluginHost extends PluginDirectory {
  /** Discovers and loads all plugins. Never rejects for a bad plugin: that one is listed as failed, all others run. */
  loadAll(platform: PluginPlatform): Promise<void>
  statuses(): readonly PluginStatus[]
  status(name: string): PluginStatus | undefined
  /** The plugin's own routes, to be mounted at /plugins/{name}; undefined: it has none or is not ready. */
  routes(name: string): PluginRoutes | undefined
  /** Lets a suspended sandbox start again; false: there is no such plugin, or it has no sandbox. */
  resume(name: string): boolean
  /** Runs every `onUnload` in reverse order of loading, each within its deadline. */
  unloadAll(): Promise<void>
}

export interface PluginRoutes {
  readonly plugin: PluginName
  /** From the manifest: `http: {auth: required}`. */
  readonly authRequired: boolean
  readonly timeoutSeconds: number
  readonly rateLimit: { readonly calls: number; readonly periodSeconds: number } | null
  /** Paths inside are relative to /plugins/{name}. */
  readonly middleware: Middleware
}
