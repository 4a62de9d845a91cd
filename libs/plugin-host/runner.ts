import type { Middleware } from 'koa'
import type { Acceptance, HandlerResult, Invocation } from '../engine/plugin-port.ts'
import type { Subscription } from '../engine/port.ts'
import type { Manifest } from '../manifest/index.ts'
import type { PluginMetrics } from '@xcore/sdk'
import type { Logger } from '../telemetry/logger.ts'
import type { Permissions } from './permissions/permissions.ts'
import type { PluginPlatform, ServiceFactory } from './port.ts'

/** Runs plugins of one `execution_mode`: in this process, or in one of their own. */
export interface Runner {
  /**
   * Imports the plugin, runs `onLoad` within its deadline and makes its subscriptions known to every process.
   * Rejects with XCoreError `plugin_load_failed`; nothing of the plugin is left then.
   */
  load(plugin: PluginSource): Promise<LoadedPlugin>
}

export interface PluginSource {
  readonly manifest: Manifest
  /** Absolute. */
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  /** Carries `plugin`. */
  readonly logger: Logger
  readonly metrics: PluginMetrics
  readonly permissions: Permissions
  readonly platform: PluginPlatform
  readonly services: Readonly<Record<string, ServiceFactory>>
  readonly deadlines: HookDeadlines
  readonly now: () => Date
}

export interface HookDeadlines {
  /** Milliseconds for the import, and again for `onLoad`. */
  readonly load: number
  /** Milliseconds for `onUnload`. */
  readonly unload: number
}

export interface LoadedPlugin {
  /** Declared ones, with their JSON schemas. */
  readonly actions: readonly { readonly name: string; readonly input: object | null; readonly description?: string }[]
  /** As they are now: a plugin may subscribe later, too. */
  subscriptions(): readonly Subscription[]
  accepts(action: string, payload: unknown): Acceptance
  execute(invocation: Invocation): Promise<HandlerResult>
  /** The plugin's own routes; null: none. */
  readonly middleware: Middleware | null
  /** Runs `onUnload`. Rejects with XCoreError `plugin_unload_failed` when it throws or hangs; the plugin is gone all the same. */
  unload(): Promise<void>
}
