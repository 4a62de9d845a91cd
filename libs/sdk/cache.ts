export interface CacheOptions {
  /** Seconds until the entry is gone, above 0, at most one year. Default: 300. */
  readonly ttl?: number
}

/**
 * `getService('cache')`: values of this plugin alone, shared by all processes. May be emptied at any time: keep nothing in it that
 * can't be made again.
 *
 * Keys are texts of 1 to 512 characters. Values are any JSON of at most 1 MiB, also null. Every method throws XCoreError `bad_request`
 * for a key, value or ttl out of range, `payload_too_large` for a value past 1 MiB, `permission_denied` when the manifest does not allow
 * `cache.<key>` (`read`, or `write`), `redis_unavailable` or `database_unavailable` when the store cannot be reached.
 */
export interface Cache {
  /** The value, or null when there is none (`exists` tells a stored null apart). */
  get<Value = unknown>(key: string): Promise<Value | null>
  set(key: string, value: unknown, options?: CacheOptions): Promise<void>
  /** Whether there was something to delete. */
  delete(key: string): Promise<boolean>
  exists(key: string): Promise<boolean>
  /** Deletes everything that this plugin has in the cache. Needs to be allowed to write `cache.*`. */
  clear(): Promise<void>
  /**
   * The keys that fit a glob (`*` any characters, `?` one, `[seq]` one of these; default `*`) and may be read, sorted. Looks at all keys
   * of the plugin, in Redis at all keys of the database: for diagnosis, not for every request.
   */
  keys(glob?: string): Promise<string[]>
  /** The value, or what `make` returns, which is then kept. Callers in one process who ask for the same key share one `make`; if it throws, so does this. */
  getOrSet<Value>(key: string, make: () => Value | Promise<Value>, options?: CacheOptions): Promise<Value>
  /** The values that are there, by key; at most 1,000 keys. */
  mget<Value = unknown>(keys: readonly string[]): Promise<Record<string, Value>>
  /** Sets all or none; at most 1,000 keys. */
  mset(values: Readonly<Record<string, unknown>>, options?: CacheOptions): Promise<void>
}
