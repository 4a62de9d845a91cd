import type { StoredJob } from '../event-log/index.ts'
import type { Database } from '../postgres/sql.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Emitted, EmitRequest, Engine } from './port.ts'
import { MAX_DEPTH } from './submit.ts'
import type { Subscribers } from './subscriptions.ts'

/** CloudEvents `source` of what XCore itself tells: `plugin.*` and `job.dead`. */
export const KERNEL_SOURCE = 'xcore://kernel'
const JOB_DEAD = 'job.dead'

export interface KernelEventsOptions {
  readonly database: Database
  /** Of its own: what it caches is read outside of transactions. */
  readonly subscribers: Subscribers
  readonly emit: Engine['emit']
  readonly logger: Logger
}

export interface KernelEvents {
  /** Emits an event of the kernel when somebody subscribes to it; undefined: nobody does, and nothing is written. */
  tell(event: Omit<EmitRequest, 'source'>): Promise<Emitted | undefined>
  /** Tells of those that are dead. Never throws. */
  settled(jobs: readonly StoredJob[]): void
  drained(): Promise<void>
}

/**
 * What XCore tells plugins of itself. `job.dead`, of jobs whose attempts are used up, is told after the outcome is committed, so a crash in
 * between loses the event, not the job. A dead delivery of `job.dead` emits none, and neither does a job at the end of the longest chain
 * of events: a plugin that fails at hearing of failures is not told of that.
 */
export function createKernelEvents({ database, subscribers, emit, logger }: KernelEventsOptions): KernelEvents {
  const telling = new Set<Promise<void>>()

  async function tell(event: Omit<EmitRequest, 'source'>): Promise<Emitted | undefined> {
    const heard = await subscribers.matching(database, event.name)
    return heard.length === 0 ? undefined : emit({ ...event, source: KERNEL_SOURCE })
  }

  return {
    tell,
    settled(jobs) {
      const dead = jobs.filter((job) => job.state === 'dead' && !isItself(job) && (job.meta.depth ?? 0) < MAX_DEPTH)
      if (dead.length === 0) return
      const told: Promise<void> = Promise.all(dead.map((job) => tell(eventOf(job))))
        .then(() => undefined)
        .catch((err: unknown) => logger.warn({ err, jobs: dead.map((job) => job.id) }, 'job.dead could not be emitted'))
        .finally(() => telling.delete(told))
      telling.add(told)
    },
    async drained() {
      await Promise.all(telling)
    },
  }
}

function isItself(job: StoredJob): boolean {
  return job.kind === 'event' && job.name === JOB_DEAD && job.meta.event?.source === KERNEL_SOURCE
}

function eventOf(job: StoredJob): Omit<EmitRequest, 'source'> {
  const { code, message } = job.error ?? { code: 'internal_error', message: '' }
  return {
    name: JOB_DEAD,
    // The same job never dies twice.
    externalId: `${JOB_DEAD}/${job.id}`,
    data: { job_id: job.id, plugin: job.plugin, kind: job.kind, name: job.name, attempt: job.attempt, error: { code, message } },
    correlationId: job.correlationId,
    causationId: job.id,
    depth: (job.meta.depth ?? 0) + 1,
  }
}
