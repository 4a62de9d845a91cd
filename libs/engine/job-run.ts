import { XCoreError, messageOf } from '../errors/index.ts'
import { refusal } from '../event-log/index.ts'
import type { Job, JobError, StoredJob } from '../event-log/index.ts'
import type { InterruptionRow } from '../event-log/record-interruptions.ts'
import type { Claim } from '../queue/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { startAttempt } from './attempt.ts'
import type { AbortReason, Attempt, AttemptEnd } from './attempt.ts'
import type { Clock } from './clock.ts'
import { attemptSpan, endAttemptSpan, withSpan } from './job-span.ts'
import { decide, outcomeRow } from './outcome.ts'
import type { HandlerResult, Invocation, RunnablePlugin } from './plugin-port.ts'
import type { PluginTransaction } from './plugin-transaction.ts'
import type { Settler } from './settle.ts'

export interface JobRunContext {
  readonly settler: Settler
  readonly metrics: Metrics
  readonly logger: Logger
  readonly clock: Clock
  readonly random: () => number
  /** Names this process in the log. */
  readonly worker: string
}

/** `hand back`: with the others when the process stops. `interrupted`: at once, due at that time; `note` is for the log. */
export type JobRunEnd = 'settling' | 'dropped' | 'hand back' | { readonly interrupted: Date; readonly note: InterruptionRow | undefined }

/** One job that this process runs. */
export interface JobRun {
  readonly claim: Claim
  readonly job: StoredJob
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Since when its outcome waits to be recorded. */
  readonly settlingSince: number | undefined
  /** The handler is over or was given up: its slot is free. Resolves to what must be handed back to the queue, if anything. */
  readonly ended: Promise<JobRunEnd>
  /** The outcome is recorded (or will never be). */
  readonly over: Promise<void>
  abort(reason: AbortReason): void
}

/** Runs the next attempt of a claimed job and records its outcome. Never rejects. */
export function runJob(
  context: JobRunContext,
  plugin: RunnablePlugin,
  claim: Claim,
  stored: StoredJob,
  whileWaiting?: Invocation['whileWaiting'],
): JobRun {
  const { metrics, clock } = context
  const startedAt = clock.now()
  const settings = plugin.settings(stored.kind, stored.name)
  const job: Job = {
    ...stored,
    state: 'active',
    attempt: stored.attempt + 1,
    startedAt: new Date(startedAt),
    pluginVersion: plugin.version,
  }
  const labels = { plugin: plugin.name }
  const logger = lazyLogger(context.logger, job)
  const span = attemptSpan(job)
  metrics.jobWaitSeconds.observe(labels, Math.max(0, startedAt - stored.runAt.getTime()) / 1000, span.traceId)

  const attempt: Attempt = span.run(() =>
    startAttempt({
      plugin,
      job: withSpan(job, span),
      timeoutSeconds: settings.timeoutSeconds,
      startedAt,
      logger,
      ...(whileWaiting === undefined ? {} : { whileWaiting }),
      onLateEnd: () => logger().info({ seconds: (clock.now() - startedAt) / 1000 }, 'a handler that was given up has ended'),
    }),
  )

  const recorded = Promise.withResolvers<void>()
  let settlingSince: number | undefined
  const ended = attempt.ended.then((end): JobRunEnd => {
    if (end.kind === 'aborted') {
      endAttemptSpan(span, end)
      recorded.resolve()
      return end.reason === 'shutdown' ? 'hand back' : 'dropped'
    }
    const finishedAt = clock.now()
    if (end.kind === 'ended' && end.result.kind === 'interrupted') {
      const { error, delaySeconds, begun } = end.result
      endAttemptSpan(span, { kind: 'aborted', reason: 'shutdown' })
      logger().info({ code: error.code, error: error.message }, 'the attempt was interrupted; the job is handed back, no attempt is spent')
      recorded.resolve()
      const data = {
        attempt: job.attempt,
        worker: context.worker,
        started_at: new Date(startedAt).toISOString(),
        finished_at: new Date(finishedAt).toISOString(),
        plugin_version: plugin.version,
        error: storableError(error),
      }
      return {
        interrupted: new Date(Math.ceil(finishedAt + delaySeconds * 1000)),
        note: begun ? { id: job.id, plugin: job.plugin, data } : undefined,
      }
    }
    settlingSince = finishedAt
    if (end.kind === 'timed_out') {
      if (plugin.graceMs === undefined) metrics.handlersAbandonedTotal.inc(labels)
      logger().warn(
        { timeout_seconds: settings.timeoutSeconds },
        'the handler did not end in time and was given up; it may still use memory and connections',
      )
    }
    void record(resultOf(end, settings.timeoutSeconds), finishedAt).finally(recorded.resolve)
    return 'settling'
  })

  async function record(handled: HandlerResult, finishedAt: number): Promise<void> {
    const { transaction, result } = await detached(handled)
    const outcome = decide({
      result,
      attempt: job.attempt,
      maxAttempts: job.maxAttempts,
      retry: settings.retry,
      now: finishedAt,
      random: context.random(),
    })
    endAttemptSpan(span, outcome)
    const row = outcomeRow(outcome, {
      job: stored,
      attempt: job.attempt,
      worker: context.worker,
      startedAt,
      finishedAt,
      pluginVersion: plugin.version,
    })
    const runSeconds = (finishedAt - startedAt) / 1000
    try {
      const settlement = { job: stored, claim, row }
      const settled = await (transaction === undefined
        ? context.settler.settle(settlement)
        : context.settler.settleWith(transaction, settlement))
      if (settled.fenced) return logger().warn('the outcome came too late: the job was cancelled, or lost and run elsewhere')
    } catch (err) {
      // What the handler wrote is gone with its transaction, so the attempt has failed, whatever the handler returned.
      if (transaction !== undefined && isKnownToBeRolledBack(err)) return record(uncommitted(err), finishedAt)
      return logger().error({ err }, 'the outcome could not be recorded; the job is found as lost and runs again')
    }
    metrics.jobRunSeconds.observe({ ...labels, name: job.name, outcome: outcome.kind }, runSeconds, span.traceId)
    if (outcome.kind === 'succeeded') logFinished(runSeconds)
    else {
      metrics.jobAttemptsFailedTotal.inc({ ...labels, name: job.name, code: outcome.error.code })
      const note = { outcome: outcome.kind, seconds: runSeconds, code: outcome.error.code, error: outcome.error.message }
      logger().warn(outcome.kind === 'retry' ? { ...note, retry_at: outcome.runAt } : note, 'attempt failed')
    }
    if (outcome.kind === 'retry') return
    metrics.jobsFinishedTotal.inc({ ...labels, kind: job.kind, name: job.name, outcome: outcome.kind })
    metrics.jobEndToEndSeconds.observe(labels, Math.max(0, finishedAt - job.requestedAt.getTime()) / 1000, span.traceId)
  }

  // No child logger for the one line that most jobs write: 2 µs a job, measured with `node bench/operations.ts`.
  function logFinished(seconds: number): void {
    if (!context.logger.isLevelEnabled('info')) return
    const { id, plugin: name, attempt, correlationId } = job
    context.logger.info(
      { plugin: name, job: id, attempt, correlation_id: correlationId, outcome: 'succeeded', seconds },
      'attempt finished',
    )
  }

  return {
    claim,
    job: stored,
    startedAt,
    get settlingSince() {
      return settlingSince
    },
    ended,
    over: recorded.promise,
    abort: (reason) => attempt.abort(reason),
  }
}

function resultOf(end: Exclude<AttemptEnd, { kind: 'aborted' }>, timeoutSeconds: number): HandlerResult {
  if (end.kind === 'ended') return end.result
  return { kind: 'threw', error: { code: 'timeout', message: `The handler did not finish within ${timeoutSeconds} s.` } }
}

/** The result as Postgres can store it, and the transaction that commits with it: only with a final one, and as the handler gave it. */
async function detached(handled: HandlerResult): Promise<{ transaction: PluginTransaction | undefined; result: HandlerResult }> {
  const result = storable(handled)
  if ((handled.kind !== 'ok' && handled.kind !== 'error') || handled.transaction === undefined) return { transaction: undefined, result }
  const { transaction } = handled
  if (result.kind === handled.kind && (result.kind === 'ok' || (result.kind === 'error' && !result.retryable)))
    return { transaction, result }
  await transaction.rollback()
  return { transaction: undefined, result }
}

function isKnownToBeRolledBack(error: unknown): boolean {
  return !(error instanceof XCoreError && error.details['commit'] === 'unknown')
}

function uncommitted(error: unknown): HandlerResult {
  const code = error instanceof XCoreError ? error.code : 'database_error'
  return { kind: 'threw', error: { code, message: `The job's transaction did not commit: ${messageOf(error)}` } }
}

/** A result that Postgres would refuse becomes an error here, where only its own job is touched. An error stays what it is. */
function storable(result: HandlerResult): HandlerResult {
  if (result.kind !== 'ok') return { ...result, error: storableError(result.error) }
  const refused = refusal(result.result)
  if (refused === undefined) return result
  return {
    kind: 'error',
    retryable: false,
    error: { code: 'invalid_result', message: `The handler's result at "${refused.path}" ${refused.reason}.` },
  }
}

function storableError(error: JobError): JobError {
  const refused = error.details === undefined ? undefined : refusal(error.details)
  return {
    ...error,
    code: storableText(error.code),
    message: storableText(error.message),
    ...(error.stack === undefined ? {} : { stack: storableText(error.stack) }),
    ...(refused === undefined ? {} : { details: `left out: the value at "${refused.path}" ${refused.reason}` }),
  }
}

function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\ufffd')
}

// Most jobs log nothing, and a pino child costs more than all else that the engine does for one.
function lazyLogger(parent: Logger, job: Job): () => Logger {
  let child: Logger | undefined
  return () => (child ??= parent.child({ plugin: job.plugin, job: job.id, attempt: job.attempt, correlation_id: job.correlationId }))
}
