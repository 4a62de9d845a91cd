import type { Middleware } from 'koa'
import type { Engine, SubscriptionRegistry } from '../engine/port.ts'
import type { PluginChanges } from '../engine/plugin-changes.ts'
import type { PluginDirectory } from '../engine/plugin-port.ts'
import type { JobTransaction } from '../engine/plugin-transaction.ts'
import type { PluginName } from '../event-log/index.ts'
import type { ScheduleRegistry } from '../services/scheduler/port.ts'
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
  /** An operator has paused it: its jobs wait, everything else goes on. */
  readonly paused: boolean
  /** Of a plugin that is ready: why its latest reload failed. */
  readonly lastError: { readonly code: string; readonly message: string } | null
  /** Declared actions, with their JSON schemas. */
  readonly actions: readonly ActionInfo[]
  /** Routes that declare schemas; absent: none. */
  readonly routes?: readonly RouteInfo[]
  /** null: not sandboxed, or not ready. */
  readonly sandbox?: SandboxStatus | null
  readonly subscriptions: readonly { readonly id: string; readonly pattern: string; readonly priority: number }[]
}

/** A declared action. */
export interface ActionInfo {
  readonly name: string
  /** JSON schema of the payload; null: any object. */
  readonly input: object | null
  /** JSON schema of the result's fields beside `status`; null or absent: anything. */
  readonly output?: object | null
  readonly description?: string
}

/** A route made by `route()` of the SDK. */
export interface RouteInfo {
  /** In capitals. */
  readonly method: string
  /** Below /plugins/{name}, parameters as `:id`. */
  readonly path: string
  readonly status: number
  readonly summary?: string
  /** JSON schemas; null: not declared. */
  readonly params: object | null
  readonly query: object | null
  readonly body: object | null
  readonly response: object | null
}

/** What the host needs of the platform while plugins load and run. */
export interface PluginPlatform {
  readonly engine: Pick<Engine, 'submit' | 'emit' | 'wait'>
  readonly subscriptions: SubscriptionRegistry
  readonly schedules: ScheduleRegistry
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
  /** `resources.max_disk_mb` of the manifest. Default: 50. */
  readonly maxDiskMb?: number
  /** Of one answer of the database; what is more is refused with `payload_too_large`. Default: no limit. */
  readonly maxResultBytes?: number
  /** For all pending migrations together. Default: a day. */
  readonly maxMigrationSeconds?: number
  /** What the plugin may do: a service checks each use (`db.<schema>` read, `cache.<key>` write, …). */
  readonly permissions: Permissions
  /** Aborts when this instance of the plugin is gone; `signal.reason.message`: `reload`, `shutdown`, `unload` (until an operator loads it). */
  readonly signal: AbortSignal
}

/** What the platform does for a plugin with its database, when the `db` service is there. */
export interface PluginDatabases {
  /** Before the plugin loads: applies its migrations. Throws XCoreError; the plugin fails to load then. */
  migrate(plugin: DatabaseOwner): Promise<void>
  /** Opens what `job.transaction` runs in. Throws XCoreError. */
  begin(plugin: DatabaseOwner): Promise<JobTransaction>
}

export type DatabaseOwner = Pick<ServiceOwner, 'name' | 'folder' | 'logger' | 'permissions' | 'maxResultBytes' | 'maxMigrationSeconds'>

/** Holds the plugins of this process: discovery, load in dependency order, lifecycle. */
export interface PluginHost extends PluginDirectory, PluginChanges {
  /** Discovers and loads all plugins. Never rejects for a bad plugin: that one is listed as failed, all others run. */
  loadAll(platform: PluginPlatform, switches?: readonly PluginSwitch[]): Promise<void>
  /**
   * Loads a plugin that is not loaded: new on disk, unloaded or failed. One that is ready stays as it is.
   * Rejects with XCoreError `not_found`, or why it can't be loaded.
   */
  load(plugin: string): Promise<PluginStatus>
  /**
   * Reads the plugin's folder anew and puts a new instance in the place of the old one, which then ends what it runs. Rejects with
   * XCoreError why the new one can't be loaded; the old one serves on.
   */
  reload(plugin: string): Promise<PluginStatus>
  /** Ends what it runs, then unloads it until `load`. Rejects with XCoreError `plugin_required` while plugins that are ready require it. */
  unload(plugin: string): Promise<PluginStatus>
  /** Its jobs wait, or no longer. Rejects with XCoreError `not_found`. */
  pause(plugin: string, paused: boolean): Promise<PluginStatus>
  /** The ready plugins that require it. */
  requiredBy(plugin: string): readonly PluginName[]
  statuses(): readonly PluginStatus[]
  status(name: string): PluginStatus | undefined
  /** The plugin's own routes, to be mounted at /plugins/{name}; undefined: it has none or is not ready. */
  routes(name: string): PluginRoutes | undefined
  /** Runs every `onUnload` in reverse order of loading, each within its deadline. */
  unloadAll(): Promise<void>
}

/** What an operator decided of a plugin, to hold over restarts. */
export interface PluginSwitch {
  readonly plugin: string
  readonly unloaded: boolean
  readonly paused: boolean
}

/** Something happened in a plugin's life. */
export interface LifecycleNews {
  readonly kind: 'loaded' | 'reloaded' | 'unloaded' | 'failed'
  readonly plugin: string
  readonly version: string | null
  /** Of `failed`. */
  readonly error: { readonly code: string; readonly message: string } | null
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
