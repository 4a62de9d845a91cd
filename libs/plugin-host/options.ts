import type { PluginMetrics } from '@xcore/sdk'
import type { PluginName } from '../event-log/index.ts'
import type { Logger, Metrics } from '../telemetry/index.ts'
import type { AskedDenial } from './permissions/denial-log.ts'
import type { LifecycleNews, PluginDatabases, ServiceFactory } from './port.ts'
import type { HookDeadlines } from './runner.ts'
import type { Ring } from './runners/sandboxed/host/rings.ts'

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
  /**
   * Whether plugins whose folders are gone lose their subscriptions at `loadAll`. Only right for a process that knows all plugins there
   * are: beside others, one with an older copy of the folder would take their events away. Default: true.
   */
  readonly forgetGone?: boolean
  /** Migrations and `job.transaction`. Default: plugins have no database. */
  readonly databases?: PluginDatabases
  /** Told of every denied permission. Default: nobody. */
  readonly onDenied?: (denial: AskedDenial) => void
  /** Told when a plugin has loaded, was replaced, is gone or failed. Must not throw. Default: nobody. */
  readonly onNews?: (news: LifecycleNews) => void
  /** The least ring for sandboxed plugins (`sandbox.require`), and the one to use in tests of weaker ones. Default: the strongest there is. */
  readonly sandbox?: { readonly require?: Ring; readonly ring?: Ring }
  /** Runs sandboxed plugins in this process, with the permissions of their manifests but without walls around them: for tests. Default: false. */
  readonly inProcess?: boolean
  /** Default: the system's. */
  readonly clock?: { now(): Date }
  /** Milliseconds. Default: 30,000 for the import and for `onLoad`, 10,000 for `onUnload` and `onReload`, 5,000 for a hook. */
  readonly deadlines?: Partial<HookDeadlines>
}
