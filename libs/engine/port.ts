import type { CorrelationId, EventId, Job, JobId, JobKind, JobState, JsonObject, PluginName } from '../event-log/index.ts'
import type { Json } from '../event-log/json.ts'
import type { LoggedEvent } from '../event-log/log-events.ts'

/** What apps (api, cli) and the plugin host may ask of the engine. */
export interface Engine {
  /**
   * Accepts an action as a durable job: resolves once it is committed in Postgres.
   * Throws XCoreError `not_found`, `not_ready`, `unknown_action`, `validation_error`, `idempotency_mismatch`.
   */
  submit(request: SubmitRequest): Promise<Submitted>
  /** Accepts an event and a job for each subscriber; resolves once committed. Throws `idempotency_mismatch`. */
  emit(request: EmitRequest): Promise<Emitted>
  /**
   * Resolves with the job once it is terminal, or as it is when `timeoutMs` has passed or `signal` aborts.
   * undefined: no such job.
   */
  wait(id: JobId, timeoutMs: number, signal?: AbortSignal): Promise<Job | undefined>
  /** Cancels a job that has not finished; a running handler's signal aborts and its outcome is fenced off. Throws `not_found`, `job_finished`. An already cancelled job is returned as it is. */
  cancel(id: JobId, reason?: string): Promise<Job>
  get(id: JobId): Promise<Job | undefined>
  /** Newest first. */
  list(filter: JobFilter): Promise<JobPage>
  /** The job's log, oldest first; undefined: no such job. */
  history(id: JobId): Promise<readonly LoggedEvent[] | undefined>
}

export interface Origin {
  /** Joins an existing chain; default: a new one. */
  readonly correlationId?: CorrelationId
  readonly causationId?: string
  readonly traceparent?: string
  readonly caller?: PluginName
  readonly depth?: number
}

/** Where a job came from: the `source` label of `jobs_submitted_total`. */
export type SubmitSource = 'http' | 'cli' | 'plugin' | 'event' | 'schedule' | 'replay'

export interface SubmitRequest extends Origin {
  readonly plugin: string
  readonly action: string
  readonly payload: Json
  readonly source: SubmitSource
  /** 0–100; default: the manifest's. */
  readonly priority?: number
  readonly delaySeconds?: number
  readonly runAt?: Date
  readonly idempotencyKey?: string
  /** Somebody will `wait` for it: its outcome is announced to the other processes. */
  readonly awaited?: boolean
  /** Actions (`plugin/action`) that wait for its outcome, the outermost first. One of them again would wait for itself: `loop_detected`. */
  readonly calls?: readonly string[]
  /** Raises a lower priority to this one: who is waited for comes before who waits. */
  readonly priorityFloor?: number
}

export interface Submitted {
  readonly jobId: JobId
  readonly state: JobState
  /** True when the idempotency key was known: nothing new was done. */
  readonly replayed: boolean
}

export interface EmitRequest extends Origin {
  readonly name: string
  readonly data: Json
  /** CloudEvents `source`; a plugin's events carry `xcore://plugins/NAME`. */
  readonly source: string
  /** An id given by the outside; the same (source, id) again is answered with the first event. Default: a new UUID. */
  readonly externalId?: string
  readonly time?: Date
  readonly delaySeconds?: number
  /** Of the jobs; default: each subscription's own. */
  readonly priority?: number
  readonly idempotencyKey?: string
}

export interface Emitted {
  readonly eventId: EventId
  /** One per subscriber. */
  readonly jobs: readonly JobId[]
  readonly replayed: boolean
}

export interface JobFilter {
  readonly plugin?: string
  readonly kind?: JobKind
  readonly name?: string
  readonly states?: readonly JobState[]
  readonly errorCode?: string
  readonly correlationId?: string
  readonly replayId?: string
  readonly since?: Date
  readonly until?: Date
  /** 1–200, default 50. */
  readonly limit?: number
  /** From a previous page. Throws XCoreError `bad_request` when it is not one. */
  readonly cursor?: string
}

export interface JobPage {
  readonly jobs: readonly Job[]
  readonly nextCursor: string | null
}

/** A subscription as every process knows it (table `subscriptions`). */
export interface Subscription {
  readonly plugin: PluginName
  /** Unique within the plugin; routes a delivery to its handler. */
  readonly id: string
  /** Glob: `*` any characters (dots too), `?` one, `[seq]`. */
  readonly pattern: string
  /** 0–100, default 50: priority of its delivery jobs. */
  readonly priority: number
  readonly once: boolean
  readonly maxAttempts: number
}

/** Subscriptions, shared by all processes. */
export interface SubscriptionRegistry {
  /** Replaces all subscriptions of the plugin; once it resolves, every event emitted by any process reaches them. */
  replace(plugin: PluginName, version: string, subscriptions: readonly Subscription[]): Promise<void>
  /** Adds or updates one (a plugin that subscribes after `onLoad`). */
  add(subscription: Subscription): Promise<void>
  remove(plugin: PluginName, id: string): Promise<void>
  /** Drops the subscriptions of plugins that are not in `known` (their folders are gone). Returns the dropped plugins. */
  retain(known: readonly PluginName[]): Promise<readonly PluginName[]>
}

export type { JsonObject }
