export { PLUGIN_COMMANDS } from './control/commands-table.ts'
export type { PluginCommand } from './control/commands-table.ts'
export { createPluginControl } from './control/control.ts'
export type { PluginControl, ProcessResult } from './control/control.ts'
export { createNewsDesk } from './control/news.ts'
export { createPluginHost } from './host.ts'
export type { PluginHostOptions } from './options.ts'
export { createDenialLog } from './permissions/denial-log.ts'
export type { AskedDenial, DenialLog, DenialLogOptions } from './permissions/denial-log.ts'
export type { PermissionVerb } from './permissions/decide.ts'
export { createPermissions } from './permissions/permissions.ts'
export type { Permissions } from './permissions/permissions.ts'
export type {
  ActionInfo,
  RouteInfo,
  LifecycleNews,
  PluginHost,
  PluginPlatform,
  PluginRoutes,
  PluginState,
  PluginStatus,
  PluginSwitch,
  ServiceFactory,
  DatabaseOwner,
  PluginDatabases,
  ServiceOwner,
} from './port.ts'
export type { Departure, HookDeadlines, LoadedPlugin, PluginSource, Runner } from './runner.ts'
export { watchPlugins } from './watch.ts'
export { currentPlugin } from './runners/trusted/running.ts'
