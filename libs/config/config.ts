import type { LogLevel } from '../telemetry/logger.ts'
import type { QUEUE_DRIVERS, REDIS_TOPOLOGIES, SANDBOX_RINGS, SCOPES } from './schema.ts'

export type Scope = (typeof SCOPES)[number]
export type SandboxRing = (typeof SANDBOX_RINGS)[number]
export type QueueDriver = (typeof QUEUE_DRIVERS)[number]
export type RedisTopology = (typeof REDIS_TOPOLOGIES)[number]

/** All settings of a process: checked, complete, deeply frozen. Paths are absolute. */
export interface Config {
  readonly http: { readonly host: string; /** 0: any free port. */ readonly port: number }
  readonly plugins: { readonly dir: string }
  /** Folder of the embedded Postgres. */
  readonly dataDir: string
  /** null: the embedded server. */
  readonly database: { readonly url: string | null }
  readonly redis: {
    readonly url: string | null
    readonly topology: RedisTopology
    /** Further nodes of a cluster, or further sentinels: `host:port`. */
    readonly nodes: readonly string[]
    readonly sentinelName: string
    /** With TLS: certificates that are trusted. null: those that Node trusts. */
    readonly caFile: string | null
    /** Begins all keys in Redis. */
    readonly prefix: string
  }
  /** Default: bullmq when a Redis URL is set, else pg-boss. */
  readonly queue: { readonly driver: QueueDriver }
  readonly worker: {
    readonly groups: Readonly<Record<string, WorkerGroup>>
    /** 0: any free port. */
    readonly metricsPort: number
  }
  readonly auth: { readonly keys: readonly ApiKey[] }
  readonly limits: { readonly payloadBytes: number }
  /** The least ring for sandboxed plugins. */
  readonly sandbox: { readonly require: SandboxRing }
  readonly retention: { readonly days: number }
  readonly log: {
    readonly level: LogLevel
    /** Paths in pino's syntax. */
    readonly redact: readonly string[]
  }
}

export interface WorkerGroup {
  /** Globs of plugin names. */
  readonly plugins: readonly string[]
  /** Jobs that the whole process runs at once; null: no limit but the plugins' own. */
  readonly concurrency: number | null
}

export interface ApiKey {
  /** For logs. */
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly key: string
}
