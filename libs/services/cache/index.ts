import type { ServiceFactory } from '../../plugin-host/port.ts'
import { outside } from '../../plugin-host/runners/trusted/running.ts'
import { PluginCache } from './cache.ts'
import type { CacheStore } from './port.ts'

export { DEFAULT_TTL_SECONDS, PluginCache } from './cache.ts'
export type { CacheParts } from './cache.ts'
export type { CacheEntry, CacheStore } from './port.ts'

/** `getService('cache')` over a store; which one is chosen in compose.ts. */
export function cacheService(store: CacheStore): ServiceFactory {
  return ({ name, permissions }) => new PluginCache({ plugin: name, store, permissions, outside })
}
