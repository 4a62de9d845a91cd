import type { CorrelationId, EventId, JobId, PluginName, ReplayId } from './ids.ts'
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
  /** The first job of the chain; with `replay_of` only. */
  readonly root?: JobId
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
  readonly fingerprint?: string
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
  readonly fingerprint?: string
}
/**
 * The handler had begun and was not run to its end, through no fault of its own: the job is handed back, and the attempt
 * begins again under the same number. A note: it changes nothing of the job.
 */
export interface JobAttemptInterrupted extends AttemptRun {
  readonly type: 'job.attempt_interrupted'
  readonly error: JobError
}
/** The handler returned an error result that is final. */
export interface JobFailed extends AttemptRun {
  readonly type: 'job.failed'
  readonly error: JobError
  readonly fingerprint?: string
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
/** A replay that runs with another payload than the job it repeats; follows its `job.requested`, which holds the original one. */
export interface JobPayloadEdited {
  readonly type: 'job.payload_edited'
  readonly payload: Json
  readonly actor: string
  readonly reason?: string
}
/** Somebody asked for a replay. Its id is the causation of the jobs that follow. */
export interface ReplayRequested {
  readonly type: 'replay.requested'
  readonly actor: string
  readonly reason?: string
  /** The job or the event that is repeated; absent: a bulk replay. */
  readonly of?: string
  readonly name?: string
  readonly filter?: JsonObject
}
/** A bulk replay went on, was held, or ended. */
export interface ReplayChanged {
  readonly type: 'replay.changed'
  readonly state: string
  readonly actor: string
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

export type JobLogEvent =
  | JobRequested
  | JobSucceeded
  | JobAttemptFailed
  | JobAttemptLost
  | JobAttemptInterrupted
  | JobFailed
  | JobDead
  | JobCancelled
  | JobPayloadEdited
export type LogEvent = JobLogEvent | EventEmitted | PermissionDenied | ReplayRequested | ReplayChanged
export type LogEventType = LogEvent['type']

export const LOG_EVENT_TYPES = [
  'job.requested',
  'job.succeeded',
  'job.attempt_failed',
  'job.attempt_lost',
  'job.attempt_interrupted',
  'job.failed',
  'job.dead',
  'job.cancelled',
  'job.payload_edited',
  'event.emitted',
  'permission.denied',
  'replay.requested',
  'replay.changed',
] as const satisfies readonly LogEventType[]

/** A row of the log. */
export interface LoggedEvent {
  /** Order within a transaction; over transactions the order is (xid, position). */
  readonly position: bigint
  readonly xid: bigint
  readonly recordedAt: Date
  /** The job, event or replay it tells of. */
  readonly stream: JobId | EventId | ReplayId
  readonly plugin: PluginName | null
  readonly event: LogEvent
}
