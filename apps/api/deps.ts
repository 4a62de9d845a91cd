import type { Engine } from '../../libs/engine/port.ts'
import type { PluginVersions } from '../../libs/plugin-host/compatibility/versions.ts'
import type { PluginControl } from '../../libs/plugin-host/control/control.ts'
import type { PluginHost } from '../../libs/plugin-host/port.ts'
import type { Queue } from '../../libs/queue/port.ts'
import type { ScheduleRegistry } from '../../libs/services/scheduler/port.ts'
import type { Logger } from '../../libs/telemetry/logger.ts'

/** What a key may do: `call` POST /ipc and plugin routes that ask for it, `emit` POST /events, `read` all GETs, `operate` cancel. */
export type Scope = 'call' | 'emit' | 'read' | 'operate'

export interface ApiKey {
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly key: string
}

/** The part of the metrics that the api itself uses. */
export interface ApiMetrics {
  readonly httpRequestSeconds: { observe(labels: { method: string; route: string; status: string }, seconds: number): void }
  /** Prometheus text exposition. */
  text(): Promise<string>
  readonly contentType: string
}

/** Tokens of a plugin's rate limit, shared by all processes. */
export interface RateTokens {
  take(
    plugin: string,
    limit: { readonly calls: number; readonly periodSeconds: number },
    n: number,
  ): Promise<{ readonly granted: number; readonly retryAfterSeconds: number }>
}

export interface Readiness {
  readonly ready: boolean
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail?: string }[]
}

/** Everything the api needs; chosen in compose.ts. */
export interface ApiDeps {
  readonly engine: Engine
  readonly host: Pick<PluginHost, 'statuses' | 'status' | 'routes' | 'find' | 'refusal'>
  /** Plugins in all processes. */
  readonly control: Pick<PluginControl, 'run'>
  readonly queue: Pick<Queue, 'depths'>
  readonly schedules: Pick<ScheduleRegistry, 'list' | 'setPaused'>
  readonly versions: Pick<PluginVersions, 'list'>
  readonly metrics: ApiMetrics
  readonly logger: Logger
  /** No keys: everything is allowed, and `listen` refuses a host that is not loopback. */
  readonly auth: { readonly keys: readonly ApiKey[] }
  readonly limits: { readonly payloadBytes: number }
  readonly rateTokens: RateTokens
  readonly readiness: () => Promise<Readiness>
  /** XCore's own version, for /openapi.json. */
  readonly version: string
  /** Aborts when the process begins to stop: /readyz says so, callers that wait get their 202. `close` does the same. */
  readonly draining?: AbortSignal
  /** For relative times (`since=2h`) and ages; default: the system clock. */
  readonly now?: () => Date
}

export interface Api {
  /**
   * Starts to serve; port 0 picks a free one.
   * Throws XCoreError `config_invalid`: no keys and a host that is not loopback, or the address cannot be bound.
   */
  listen(host: string, port: number): Promise<{ readonly url: string; readonly port: number }>
  /** Stops accepting, lets requests in flight finish until the deadline, then cuts what is left. Idempotent. */
  close(deadlineMs: number): Promise<void>
}
