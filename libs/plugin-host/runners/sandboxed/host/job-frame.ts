import type { HandlerResult, Invocation } from '../../../../engine/plugin-port.ts'
import type { Job } from '../../../../event-log/index.ts'
import type { JobFrame } from '../wire/frames.ts'

/** The job is handed back: nothing was tried. */
export class NotNow extends Error {
  readonly afterSeconds: number
  constructor(message: string, afterSeconds: number) {
    super(message)
    this.afterSeconds = afterSeconds
  }
}

/** Nothing was tried: a later turn. */
export function notNow(message: string, delaySeconds = 0): HandlerResult {
  return { kind: 'interrupted', error: { code: 'sandbox_interrupted', message }, delaySeconds, begun: false }
}

/** The handler had begun: the job's history tells of it. */
export function interrupted(message: string): HandlerResult {
  return { kind: 'interrupted', error: { code: 'sandbox_interrupted', message }, delaySeconds: 0, begun: true }
}

/** How long a job may wait for its turn: half of its time, then others should have it. */
export function patience({ deadline }: Invocation, now: number): number {
  return Math.max(0, (deadline.getTime() - now) / 2)
}

export function jobFrame(job: Job): JobFrame['job'] {
  return {
    id: job.id,
    kind: job.kind,
    name: job.name,
    payload: job.payload,
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    priority: job.priority,
    correlationId: job.correlationId,
    replayOf: job.replayOf,
    idempotencyKey: job.idempotencyKey,
    method: job.meta.schedule?.method ?? null,
    event: job.meta.event === undefined ? null : { ...job.meta.event },
    depth: job.meta.depth ?? 0,
  }
}
