import type { Middleware } from 'koa'
import type { Acceptance, HandlerResult, Invocation } from '../engine/plugin-port.ts'
import type { JobTransaction } from '../engine/plugin-transaction.ts'
import type { Subscription } from '../engine/port.ts'
import type { ErrorCode } from '../errors/index.ts'
import type { Manifest } from '../manifest/index.ts'
import type { PluginMetrics } from '@xcore/sdk'
import type { Logger } from '../telemetry/logger.ts'
import type { Hook } from './hooks/hook.ts'
import type { Permissions } from './permissions/permissions.ts'
import type { ActionInfo, PluginPlatform, RouteInfo, ServiceFactory } from './port.ts'

/** Runs plugins of one `execution_mode`: in this process, or in one of their own. */
export interface Runner {
  /**
   * Imports the plugin and runs `onLoad` within its deadline; nobody knows of it until `publish`.
   * Rejects with XCoreError `plugin_load_failed`; nothing of the plugin is left then.
   */
  load(plugin: PluginSource): Promise<LoadedPlugin>
}

/** Where the process of a sandboxed plugin stands. */
export interface SandboxStatus {
  readonly ring: 'permission' | 'uid' | 'bwrap'
  readonly state: 'stopped' | 'starting' | 'ready' | 'suspended'
  /** `open`: it crashed too often in a row; `resume` closes it. */
  readonly circuit: 'closed' | 'open'
  /** Crashes since a job was last done. */
  readonly failures: number
  /** Since the plugin was loaded. */
  readonly restarts: number
  /** null: no process runs. */
  readonly memoryMb: number | null
  readonly lastEnd: { readonly reason: string; readonly message: string } | null
}

export interface PluginSource {
  readonly manifest: Manifest
  /** Absolute. */
  readonly folder: string
  /** URL to import; differs at each load, so that the files are read anew. */
  readonly entryUrl: string
  readonly env: Readonly<Record<string, string>>
  /** Carries `plugin`. */
  readonly logger: Logger
  readonly metrics: PluginMetrics
  readonly permissions: Permissions
  readonly platform: PluginPlatform
  readonly services: Readonly<Record<string, ServiceFactory>>
  /** Opens the transaction of a job; null: there is no `db` service. */
  readonly begin: (() => Promise<JobTransaction>) | null
  readonly deadlines: HookDeadlines
  /** At a hot reload: asks the old instance for its state, between the new one's constructor and its `onLoad`. null: there is no old one. */
  readonly handOver: (() => Promise<unknown>) | null
  readonly now: () => Date
}

export interface HookDeadlines {
  /** Milliseconds for the import, and again for `onLoad`. */
  readonly load: number
  /** Milliseconds for `onUnload`. */
  readonly unload: number
  /** Milliseconds for `onReload`. */
  readonly reload: number
  /** Milliseconds for each interceptor of `ctx.hooks`. */
  readonly hook: number
}

/** Why an instance goes: the process ends, a new instance took its place, or an operator wants it gone until `load`. */
export type Departure = 'shutdown' | 'reload' | 'unload'

export interface LoadedPlugin {
  /** Declared ones, with their JSON schemas. */
  readonly actions: readonly ActionInfo[]
  /** Those of its routes that declare schemas; absent: none. */
  readonly routes?: readonly RouteInfo[]
  /** As they are now. */
  hooks(): readonly Hook[]
  /** As they are now: a plugin may subscribe later, too. */
  subscriptions(): readonly Subscription[]
  accepts(action: string, payload: unknown): Acceptance
  execute(invocation: Invocation): Promise<HandlerResult>
  /** The plugin's own routes; null: none. */
  readonly middleware: Middleware | null
  /** See `RunnablePlugin.graceMs`. */
  readonly graceMs?: number
  /** Why it takes no work now, although it is loaded: a sandbox that crashed too often. Default: it takes work. */
  refusal?(): { readonly code: ErrorCode; readonly message: string } | undefined
  /** Of a sandboxed plugin. */
  sandbox?(): SandboxStatus
  /** Lets a suspended sandbox start again. */
  resume?(): void
  /** Makes its subscriptions known to every process, in place of those that the plugin had. */
  publish(): Promise<void>
  /** Runs `onReload` on an instance that is to be replaced. Rejects when it throws or hangs. */
  handOver(): Promise<unknown>
  /** Another instance took its place, or it is about to be unloaded: it subscribes to nothing more. What runs on it goes on. */
  retire(): void
  /** Runs `onUnload`. Rejects with XCoreError `plugin_unload_failed` when it throws or hangs; the plugin is gone all the same. */
  unload(why: Departure): Promise<void>
}
