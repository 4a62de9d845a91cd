import type { CorrelationId, EventId, JobId, PluginName } from './ids.ts'
import type { JobError, JobKind, JobMeta } from './job.ts'
import type { Json, JsonObject } from './json.ts'

/** Optional members are left out of the stored row rather than null: the log is most of what a job costs.
 *  When and where an attempt ran. Times are ISO 8601 in UTC, by the worker's clock. */
export interface AttemptRun {
  readonly attempt: number
  readonly worker: string
  readonly started_at: string
  readonly finished_at: string
  readonly plugin_version: string
}

export interface JobRequested {
  readonly type: 'job.requested'
  readonly kind: JobKind
  readonly name: string
  readonly payload: Json
  readonly priority: number
  readonly max_attempts: number
  /** ISO 8601; absent: at once. */
  readonly run_at?: string
  readonly correlation_id: CorrelationId
  readonly causation_id?: string
  readonly replay_of?: JobId
  readonly replay_id?: string
  readonly idempotency_key?: string
  readonly plugin_version: string
  readonly source: string
  readonly meta?: JobMeta
}
export interface JobSucceeded extends AttemptRun {
  readonly type: 'job.succeeded'
  readonly result: JsonObject
}
export interface JobAttemptFailed extends AttemptRun {
  readonly type: 'job.attempt_failed'
  readonly error: JobError
  /** Absent: it was the last one. */
  readonly retry_at?: string
}
/** The worker that held the job stopped answering. */
export interface JobAttemptLost {
  readonly type: 'job.attempt_lost'
  readonly attempt: number
  /** Who found it. */
  readonly worker: string
  readonly found_at: string
  readonly error: JobError
}
/** The handler returned an error result that is final. */
export interface JobFailed extends AttemptRun {
  readonly type: 'job.failed'
  readonly error: JobError
}
/** Attempts used up. Follows the job.attempt_failed or job.attempt_lost of the last one. */
export interface JobDead {
  readonly type: 'job.dead'
  readonly attempt: number
  readonly finished_at: string
  readonly error: JobError
}
export interface JobCancelled {
  readonly type: 'job.cancelled'
  readonly finished_at: string
  readonly reason?: string
}
export interface EventEmitted {
  readonly type: 'event.emitted'
  readonly name: string
  readonly source: string
  readonly time: string
  readonly data: Json
  readonly external_id?: string
  readonly correlation_id: CorrelationId
  readonly causation_id?: string
  /** How many jobs it became. */
  readonly deliveries: number
}

/** A plugin asked for what its manifest does not allow. Written at most so often: `suppressed` counts the denials since the last row. */
export interface PermissionDenied {
  readonly type: 'permission.denied'
  readonly resource: string
  readonly verb: string
  readonly job?: JobId
  readonly correlation_id?: CorrelationId
  readonly suppressed?: number
}

export type JobLogEvent = JobRequested | JobSucceeded | JobAttemptFailed | JobAttemptLost | JobFailed | JobDead | JobCancelled
export type LogEvent = JobLogEvent | EventEmitted | PermissionDenied
export type LogEventType = LogEvent['type']

export const LOG_EVENT_TYPES = [
  'job.requested',
  'job.succeeded',
  'job.attempt_failed',
  'job.attempt_lost',
  'job.failed',
  'job.dead',
  'job.cancelled',
  'event.emitted',
  'permission.denied',
] as const satisfies readonly LogEventType[]

/** A row of the log. */
export interface LoggedEvent {
  /** Order within a transaction; over transactions the order is (xid, position). */
  readonly position: bigint
  readonly xid: bigint
  readonly recordedAt: Date
  /** The job or the event it tells of. */
  readonly stream: JobId | EventId
  readonly plugin: PluginName | null
  readonly event: LogEvent
}
