import type { CacheStore } from '../port.ts'

/** The cache of one process, for tests of plugins: `now` is in milliseconds. */
export function createMemoryCacheStore(now: () => number): CacheStore {
  const plugins = new Map<string, Map<string, { readonly value: string; readonly expiresAt: number }>>()

  function of(plugin: string) {
    const known = plugins.get(plugin) ?? new Map<string, { readonly value: string; readonly expiresAt: number }>()
    plugins.set(plugin, known)
    return known
  }
  function read(plugin: string, key: string): string | null {
    const entry = of(plugin).get(key)
    if (entry === undefined) return null
    if (entry.expiresAt > now()) return entry.value
    of(plugin).delete(key)
    return null
  }

  return {
    get: async (plugin, key) => read(plugin, key),
    getMany: async (plugin, keys) => keys.map((key) => read(plugin, key)),
    async set(plugin, entries, ttlMs) {
      for (const { key, value } of entries) of(plugin).set(key, { value, expiresAt: now() + ttlMs })
    },
    delete: async (plugin, key) => read(plugin, key) !== null && of(plugin).delete(key),
    exists: async (plugin, key) => read(plugin, key) !== null,
    clear: async (plugin) => of(plugin).clear(),
    keys: async (plugin) => [...of(plugin).keys()].filter((key) => read(plugin, key) !== null),
  }
}
