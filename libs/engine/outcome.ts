import type { JobError, JsonObject, StoredJob } from '../event-log/index.ts'
import type { OutcomeRow } from '../event-log/record-outcomes.ts'
import type { HandlerResult, RetryPolicy } from './plugin-port.ts'
import { errorFingerprint } from './failures/normalise.ts'
import { retryDelaySeconds } from './retry.ts'

/** What becomes of a job after one attempt. */
export type Outcome =
  | { readonly kind: 'succeeded'; readonly result: JsonObject }
  /** Final by the handler's own word. */
  | { readonly kind: 'failed'; readonly error: JobError }
  | { readonly kind: 'retry'; readonly error: JobError; readonly runAt: Date }
  /** Attempts used up. */
  | { readonly kind: 'dead'; readonly error: JobError }

export interface DecideInput {
  readonly result: HandlerResult
  readonly attempt: number
  readonly maxAttempts: number
  readonly retry: RetryPolicy
  /** Milliseconds since the epoch. */
  readonly now: number
  /** In [0, 1), for the jitter. */
  readonly random: number
}

/** Pure: the handler's result and the retry policy make the outcome. */
export function decide(input: DecideInput): Outcome {
  const { result } = input
  switch (result.kind) {
    case 'ok':
      return { kind: 'succeeded', result: result.result }
    case 'error':
      return result.retryable ? again(input, result.error, result.retryAfterSeconds) : { kind: 'failed', error: result.error }
    case 'threw':
      return result.final === true ? { kind: 'failed', error: result.error } : again(input, result.error, result.retryAfterSeconds)
    case 'interrupted':
      return again(input, result.error, result.delaySeconds)
  }
}

function again(input: DecideInput, error: JobError, retryAfterSeconds: number | undefined): Outcome {
  if (input.attempt >= input.maxAttempts) return { kind: 'dead', error }
  const delay = retryAfterSeconds ?? retryDelaySeconds(input.retry, input.attempt, input.random)
  return { kind: 'retry', error, runAt: new Date(Math.ceil(input.now + delay * 1000)) }
}

/** When, where and as what version one attempt ran. */
export interface AttemptContext {
  readonly job: StoredJob
  readonly attempt: number
  readonly worker: string
  readonly startedAt: number
  readonly finishedAt: number
  readonly pluginVersion: string
}

/** The rows that record an outcome. */
export function outcomeRow(outcome: Outcome, context: AttemptContext): OutcomeRow {
  const base = { id: context.job.id, plugin: context.job.plugin, attempt: context.attempt }
  const finishedAt = new Date(context.finishedAt).toISOString()
  const run = {
    attempt: context.attempt,
    worker: context.worker,
    started_at: new Date(context.startedAt).toISOString(),
    finished_at: finishedAt,
    plugin_version: context.pluginVersion,
  }
  switch (outcome.kind) {
    case 'succeeded':
      return { ...base, state: 'succeeded', type: 'job.succeeded', data: { ...run, result: outcome.result } }
    case 'failed':
      return { ...base, state: 'failed', type: 'job.failed', data: { ...run, ...failure(context.job, outcome.error) } }
    case 'retry':
      return {
        ...base,
        state: 'retrying',
        type: 'job.attempt_failed',
        data: { ...run, ...failure(context.job, outcome.error), retry_at: outcome.runAt.toISOString() },
      }
    case 'dead':
      return {
        ...base,
        state: 'dead',
        type: 'job.attempt_failed',
        data: { ...run, ...failure(context.job, outcome.error) },
        dead: { attempt: context.attempt, finished_at: finishedAt, error: outcome.error },
      }
  }
}

/** The rows that record a lost attempt: the job goes on with the next one, or is dead. */
export function lostRow(job: StoredJob, worker: string, now: number): OutcomeRow {
  const attempt = job.attempt + 1
  const at = new Date(now).toISOString()
  const error: JobError = {
    code: 'worker_lost',
    message: `The worker that ran attempt ${attempt} stopped answering before it reported an outcome.`,
  }
  const base = { id: job.id, plugin: job.plugin, attempt }
  const data = { attempt, worker, found_at: at, ...failure(job, error) }
  if (attempt < job.maxAttempts) return { ...base, state: 'retrying', type: 'job.attempt_lost', data }
  return { ...base, state: 'dead', type: 'job.attempt_lost', data, dead: { attempt, finished_at: at, error } }
}

/** Only what fails pays for a fingerprint. */
function failure(job: StoredJob, error: JobError): { error: JobError; fingerprint: string } {
  return { error, fingerprint: errorFingerprint({ plugin: job.plugin, name: job.name, code: error.code, message: error.message }) }
}
