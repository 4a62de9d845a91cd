export type RedisTopology = 'standalone' | 'cluster' | 'sentinel'

/** How to reach Redis. */
export interface RedisSettings {
  /** `redis://` or `rediss://` (TLS) with user, password and database number. Of a cluster or of Sentinel: one of its nodes. */
  readonly url: string
  readonly topology: RedisTopology
  /** Further nodes of the cluster, or further sentinels: `host:port`. */
  readonly nodes: readonly string[]
  /** The name under which Sentinel knows the master. */
  readonly sentinelName: string
  /** With TLS: the file of the certificates that are trusted, in PEM; null: those that Node trusts. */
  readonly caFile: string | null
  /** Begins all keys. Two installations on one Redis need two. */
  readonly prefix: string
}

export const REDIS_DEFAULTS = {
  topology: 'standalone',
  nodes: [],
  sentinelName: 'mymaster',
  caFile: null,
  prefix: 'xcore',
} as const satisfies Omit<RedisSettings, 'url'>
