/**
 * Where cached values are kept: texts by plugin and key, each until its time is up. Knows nothing of JSON, permissions or limits:
 * `cache.ts` does. libs/services/cache/testing/contract.ts is the suite that every adapter passes whole.
 */
export interface CacheStore {
  /** null: there is none, or its time is up. */
  get(plugin: string, key: string): Promise<string | null>
  /** The same for several, in the order of the keys. */
  getMany(plugin: string, keys: readonly string[]): Promise<(string | null)[]>
  /** All or none. */
  set(plugin: string, entries: readonly CacheEntry[], ttlMs: number): Promise<void>
  /** Whether it was there. */
  delete(plugin: string, key: string): Promise<boolean>
  exists(plugin: string, key: string): Promise<boolean>
  /** Deletes all of the plugin. */
  clear(plugin: string): Promise<void>
  /** All keys of the plugin, in any order. */
  keys(plugin: string): Promise<string[]>
}

export interface CacheEntry {
  readonly key: string
  readonly value: string
}
