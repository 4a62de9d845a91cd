import type { JobId, PluginName } from './ids.ts'
import type { Job, JobError, StoredState } from './job.ts'
import { isTerminal } from './job.ts'
import type { JobLogEvent, JobRequested } from './log-events.ts'

/**
 * The state machine of a job, as a fold over its log. The `jobs` table is this fold, kept by SQL as the log is written
 * (record-requests.ts, record-outcomes.ts); `rebuild.ts` runs the fold itself, and a test holds the two equal.
 *
 *   (none) ── job.requested ──► scheduled | queued
 *   scheduled | queued | retrying ── job.attempt_failed, job.attempt_lost ──► retrying
 *                                 ── job.succeeded ──► succeeded      ── job.failed ──► failed
 *                                 ── job.dead ──► dead                ── job.cancelled ──► cancelled
 *   scheduled | queued ── job.payload_edited ──► the same, with another payload
 *   any ── job.attempt_interrupted ──► the same: the attempt begins again
 */
export interface StoredJob extends Job {
  readonly state: StoredState
}

export interface JobFact {
  readonly stream: JobId
  readonly plugin: PluginName
  readonly recordedAt: Date
  readonly event: JobLogEvent
}

/** Thrown by `evolve` when a log does not follow the state machine; such a log is damaged. */
export class IllegalTransition extends Error {
  override readonly name = 'IllegalTransition'
}

/** The job after one more event of its log. Pure. */
export function evolve(job: StoredJob | undefined, fact: JobFact): StoredJob {
  const { event } = fact
  if (event.type === 'job.requested') {
    if (job !== undefined) throw illegal(job, fact)
    return requested(fact, event)
  }
  if (job === undefined) throw illegal(job, fact)
  // Written by who held the job, not by who settles it: it may come after a cancellation that it did not know of.
  if (event.type === 'job.attempt_interrupted') return job
  if (isTerminal(job.state)) throw illegal(job, fact)
  switch (event.type) {
    case 'job.succeeded':
      return {
        ...job,
        ...attemptOf(job, fact, event.attempt),
        state: 'succeeded',
        result: event.result,
        error: null,
        errorFingerprint: null,
        ...times(event),
      }
    case 'job.failed':
      return { ...job, ...attemptOf(job, fact, event.attempt), state: 'failed', ...failure(event), ...times(event) }
    case 'job.attempt_failed':
      return {
        ...job,
        ...attemptOf(job, fact, event.attempt),
        state: 'retrying',
        ...failure(event),
        startedAt: new Date(event.started_at),
        pluginVersion: event.plugin_version,
        runAt: event.retry_at === undefined ? job.runAt : new Date(event.retry_at),
      }
    case 'job.attempt_lost':
      return { ...job, ...attemptOf(job, fact, event.attempt), state: 'retrying', ...failure(event) }
    case 'job.dead':
      return { ...job, state: 'dead', error: shown(event.error), finishedAt: new Date(event.finished_at) }
    case 'job.cancelled':
      return { ...job, state: 'cancelled', finishedAt: new Date(event.finished_at) }
    case 'job.payload_edited':
      return { ...job, payload: event.payload }
  }
}

function requested(fact: JobFact, event: JobRequested): StoredJob {
  return {
    id: fact.stream,
    kind: event.kind,
    plugin: fact.plugin,
    name: event.name,
    state: event.run_at === undefined ? 'queued' : 'scheduled',
    priority: event.priority,
    attempt: 0,
    maxAttempts: event.max_attempts,
    payload: event.payload,
    result: null,
    error: null,
    errorFingerprint: null,
    requestedAt: fact.recordedAt,
    runAt: event.run_at === undefined ? fact.recordedAt : new Date(event.run_at),
    startedAt: null,
    finishedAt: null,
    correlationId: event.correlation_id,
    causationId: event.causation_id ?? null,
    replayOf: event.replay_of ?? null,
    root: event.root ?? null,
    replayId: event.replay_id ?? null,
    idempotencyKey: event.idempotency_key ?? null,
    pluginVersion: event.plugin_version,
    meta: event.meta ?? {},
  }
}

function attemptOf(job: StoredJob, fact: JobFact, attempt: number): { attempt: number } {
  if (attempt !== job.attempt + 1 || attempt > job.maxAttempts) throw illegal(job, fact)
  return { attempt }
}

/** Stacks stay in the log. */
function shown({ stack: _stack, ...error }: JobError): JobError {
  return error
}

function failure(event: { readonly error: JobError; readonly fingerprint?: string }) {
  return { error: shown(event.error), errorFingerprint: event.fingerprint ?? null }
}

function times(event: { started_at: string; finished_at: string; plugin_version: string }) {
  return { startedAt: new Date(event.started_at), finishedAt: new Date(event.finished_at), pluginVersion: event.plugin_version }
}

function illegal(job: StoredJob | undefined, fact: JobFact): IllegalTransition {
  const from = job === undefined ? 'an unknown job' : `${job.state}, attempt ${job.attempt} of ${job.maxAttempts}`
  return new IllegalTransition(`${fact.event.type} of job ${fact.stream} does not follow ${from}: the log is damaged`)
}
