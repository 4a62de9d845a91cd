export { createPluginHost } from './host.ts'
export type { PluginHostOptions } from './host.ts'
export type { PluginHost, PluginPlatform, PluginRoutes, PluginState, PluginStatus, ServiceFactory, ServiceOwner } from './port.ts'
export type { HookDeadlines, LoadedPlugin, PluginSource, Runner } from './runner.ts'
