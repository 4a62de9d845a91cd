import type { Job } from '../event-log/index.ts'
import { startSpan } from '../telemetry/tracing.ts'
import type { TracedSpan } from '../telemetry/tracing.ts'
import type { AttemptEnd } from './attempt.ts'
import type { Outcome } from './outcome.ts'

// Names and attributes by OpenTelemetry's semantic conventions for messaging: a job is a message, its plugin the destination.
const SYSTEM = { 'messaging.system': 'xcore' } as const

/** Around the acceptance of a job or an event: what is accepted carries this span, so that its jobs hang below it. */
export async function tracedSend<T>(
  destination: string,
  parent: string | undefined,
  send: (traceparent: string | undefined) => Promise<{ readonly accepted: T; readonly id: string }>,
): Promise<T> {
  const attributes = {
    ...SYSTEM,
    'messaging.operation.name': 'send',
    'messaging.operation.type': 'send',
    'messaging.destination.name': destination,
  }
  const span = startSpan({ name: `send ${destination}`, kind: 'producer', parent, attributes })
  try {
    const { accepted, id } = await send(span.traceparent)
    span.set({ 'messaging.message.id': id })
    span.end()
    return accepted
  } catch (error) {
    span.end({ type: error instanceof Error && 'code' in error ? String(error.code) : 'internal_error', message: String(error) })
    throw error
  }
}

/** Of one attempt. */
export function attemptSpan(job: Job): TracedSpan {
  return startSpan({
    name: `process ${job.plugin}`,
    kind: 'consumer',
    parent: job.meta.traceparent,
    attributes: {
      ...SYSTEM,
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': job.plugin,
      'messaging.message.id': job.id,
      'messaging.message.conversation_id': job.correlationId,
      'xcore.job.kind': job.kind,
      'xcore.job.name': job.name,
      'xcore.job.attempt': job.attempt,
    },
  })
}

/** The job as the handler gets it: what it emits and calls hangs below its own attempt. */
export function withSpan(job: Job, span: TracedSpan): Job {
  const { traceparent } = span
  return traceparent === undefined || traceparent === job.meta.traceparent ? job : { ...job, meta: { ...job.meta, traceparent } }
}

export function endAttemptSpan(span: TracedSpan, end: Outcome | Extract<AttemptEnd, { kind: 'aborted' }>): void {
  span.set({ 'xcore.job.outcome': end.kind })
  if (end.kind === 'succeeded') span.end()
  else if (end.kind === 'aborted') span.end({ type: end.reason, message: 'the attempt was ended from outside' })
  else span.end({ type: end.error.code, message: end.error.message })
}
