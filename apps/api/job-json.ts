import type { Job, JobError } from '../../libs/event-log/index.ts'
import type { LoggedEvent } from '../../libs/event-log/log-events.ts'

/** A job as the contract shows it. */
export function jobJson(job: Job): Record<string, unknown> {
  return {
    job_id: job.id,
    kind: job.kind,
    plugin: job.plugin,
    name: job.name,
    state: job.state,
    priority: job.priority,
    attempt: job.attempt,
    max_attempts: job.maxAttempts,
    payload: job.payload,
    result: job.result,
    error: job.error === null ? null : errorJson(job.error),
    error_fingerprint: job.errorFingerprint,
    requested_at: job.requestedAt,
    run_at: job.runAt,
    started_at: job.startedAt,
    finished_at: job.finishedAt,
    correlation_id: job.correlationId,
    causation_id: job.causationId,
    replay_of: job.replayOf,
    root: job.root,
    replay_id: job.replayId,
    idempotency_key: job.idempotencyKey,
    plugin_version: job.pluginVersion,
  }
}

/** Without the stack: that is for the log only. */
export function errorJson(error: JobError): Record<string, unknown> {
  return {
    code: error.code,
    message: error.message,
    ...(error.statusCode !== undefined && { status_code: error.statusCode }),
    ...(error.details !== undefined && { details: error.details }),
  }
}

/** The body of an awaited call: `result` has the form that `ok()` and `error()` of the SDK return. */
export function outcomeJson(job: Job, action: string): Record<string, unknown> {
  const result = job.state === 'succeeded' ? job.result : errorResult(job)
  return { status: job.state === 'succeeded' ? 'ok' : 'error', plugin: job.plugin, action, job_id: job.id, result }
}

function errorResult(job: Job): Record<string, unknown> {
  const error = outcomeError(job)
  const { message, ...rest } = errorJson(error)
  return { status: 'error', msg: message, ...rest }
}

/** Why a finished job did not succeed. */
export function outcomeError(job: Job): JobError {
  if (job.error !== null) return job.error
  return job.state === 'cancelled'
    ? { code: 'cancelled', message: 'The job was cancelled.' }
    : { code: 'handler_error', message: 'The job failed without a recorded error.' }
}

function secondsBetween(start: string, end: string): number {
  return Math.max(0, Date.parse(end) - Date.parse(start)) / 1000
}

/** One line of a job's history. */
export function loggedEventJson(logged: LoggedEvent): Record<string, unknown> {
  const { type, ...fields } = logged.event
  return {
    type,
    job_id: logged.stream,
    recorded_at: logged.recordedAt,
    position: String(logged.position),
    plugin: logged.plugin,
    ...fields,
    ...('error' in fields && { error: errorJson(fields.error) }),
    ...('started_at' in fields && { duration_seconds: secondsBetween(fields.started_at, fields.finished_at) }),
  }
}
