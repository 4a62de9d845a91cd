import type { StoredJob } from '../event-log/index.ts'
import type { Database } from '../postgres/sql.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Engine } from './port.ts'
import { MAX_DEPTH } from './submit.ts'
import type { Subscribers } from './subscriptions.ts'

/** CloudEvents `source` of what XCore itself tells: `plugin.*` and `job.dead`. */
export const KERNEL_SOURCE = 'xcore://kernel'
const JOB_DEAD = 'job.dead'

export interface DeadJobEventsOptions {
  readonly database: Database
  /** Of its own: what it caches is read outside of transactions. */
  readonly subscribers: Subscribers
  readonly emit: Engine['emit']
  readonly logger: Logger
}

export interface DeadJobEvents {
  /** Never throws. */
  settled(jobs: readonly StoredJob[]): void
  drained(): Promise<void>
}

/**
 * Emits `job.dead` for jobs whose attempts are used up, when somebody subscribes to it. Told after the outcome is committed, so a crash
 * in between loses the event, not the job. A dead delivery of `job.dead` emits none, and neither does one at the end of the longest chain
 * of events: a plugin that fails at hearing of failures is not told of that.
 */
export function createDeadJobEvents({ database, subscribers, emit, logger }: DeadJobEventsOptions): DeadJobEvents {
  const telling = new Set<Promise<void>>()

  async function tell(dead: readonly StoredJob[]): Promise<void> {
    if ((await subscribers.matching(database, JOB_DEAD)).length === 0) return
    await Promise.all(dead.map((job) => emit(eventOf(job))))
  }

  return {
    settled(jobs) {
      const dead = jobs.filter((job) => job.state === 'dead' && !isItself(job) && (job.meta.depth ?? 0) < MAX_DEPTH)
      if (dead.length === 0) return
      const told = tell(dead)
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

function eventOf(job: StoredJob): Parameters<Engine['emit']>[0] {
  const { code, message } = job.error ?? { code: 'internal_error', message: '' }
  return {
    name: JOB_DEAD,
    source: KERNEL_SOURCE,
    // The same job never dies twice.
    externalId: `${JOB_DEAD}/${job.id}`,
    data: { job_id: job.id, plugin: job.plugin, kind: job.kind, name: job.name, attempt: job.attempt, error: { code, message } },
    correlationId: job.correlationId,
    causationId: job.id,
    depth: (job.meta.depth ?? 0) + 1,
  }
}
