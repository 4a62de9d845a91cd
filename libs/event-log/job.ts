import type { CorrelationId, EventId, JobId, PluginName } from './ids.ts'
import type { Json, JsonObject } from './json.ts'

export type JobKind = 'action' | 'event' | 'schedule'

/**
 * What the `jobs` table stores. `active` is not among them: whether somebody holds the job is known by the queue,
 * so a claim costs no write to the read model (see docs/architecture.md, row budget).
 */
export type StoredState = 'scheduled' | 'queued' | 'retrying' | 'succeeded' | 'failed' | 'dead' | 'cancelled'
/** What readers see (contract: job states). */
export type JobState = StoredState | 'active'

export const TERMINAL_STATES = ['succeeded', 'failed', 'dead', 'cancelled'] as const satisfies readonly StoredState[]
export const LIVE_STATES = ['scheduled', 'queued', 'active', 'retrying'] as const satisfies readonly JobState[]
export const JOB_STATES = [...LIVE_STATES, ...TERMINAL_STATES] as const

export function isTerminal(state: JobState): boolean {
  return (TERMINAL_STATES as readonly string[]).includes(state)
}

/** Why an attempt or a job did not succeed. */
export interface JobError {
  readonly code: string
  readonly message: string
  /** 400–599 when the handler chose one; callers over HTTP are answered with it. */
  readonly statusCode?: number
  readonly details?: Json
  /** Only of a throw, only in the log, never answered to callers. */
  readonly stack?: string
}

/** The event that a job of kind `event` delivers. */
export interface DeliveredEvent {
  readonly id: EventId
  readonly source: string
  /** ISO 8601. */
  readonly time: string
  /** Which of the plugin's subscriptions this delivery is for. */
  readonly subscription: string
}

/** What a job carries besides its payload; stored as jsonb, additive only. */
export interface JobMeta {
  /** W3C trace context of the caller. */
  readonly traceparent?: string
  readonly event?: DeliveredEvent
  /** Of a job of kind `schedule`: the plugin's method that it calls, where that is not known by the schedule's id. */
  readonly schedule?: { readonly method: string }
  /** How many events, calls or enqueues lie between this job and an outside request. */
  readonly depth?: number
  /** The plugin that asked for it, when a plugin did. */
  readonly caller?: PluginName
  /** Actions (`plugin/action`) that wait for the outcome, the outermost first. */
  readonly calls?: readonly string[]
  /** Somebody waits for the outcome, perhaps in another process: it is announced when settled. */
  readonly awaited?: true
}

/** One job as the read model shows it. */
export interface Job {
  readonly id: JobId
  readonly kind: JobKind
  readonly plugin: PluginName
  readonly name: string
  readonly state: JobState
  readonly priority: number
  /** Attempts that have ended, plus the one that runs. */
  readonly attempt: number
  readonly maxAttempts: number
  readonly payload: Json
  /** `{status:'ok', …}` once succeeded. */
  readonly result: JsonObject | null
  readonly error: JobError | null
  readonly requestedAt: Date
  /** Not before this. */
  readonly runAt: Date
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
  readonly correlationId: CorrelationId
  /** The job or event that caused it. */
  readonly causationId: string | null
  readonly replayOf: JobId | null
  readonly replayId: string | null
  readonly idempotencyKey: string | null
  /** The version that ran it last; before the first attempt the one that accepted it. */
  readonly pluginVersion: string
  readonly meta: JobMeta
}
