import { evolve, isTerminal } from '../../../event-log/index.ts'
import type { JobId, PluginName, StoredJob } from '../../../event-log/index.ts'
import type { JobLogEvent } from '../../../event-log/log-events.ts'
import type { OutcomeRow } from '../../../event-log/record-outcomes.ts'
import type { RequestRow } from '../../../event-log/record-requests.ts'

/** The jobs of one test, kept by the state machine that keeps those of Postgres. */
export class JobLog {
  readonly #jobs = new Map<JobId, StoredJob>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  get(id: JobId): StoredJob | undefined {
    return this.#jobs.get(id)
  }

  /** Oldest first. */
  all(): readonly StoredJob[] {
    return [...this.#jobs.values()]
  }

  request(row: RequestRow): void {
    this.#append(row.id, row.plugin, { type: 'job.requested', ...row.data })
  }

  /** False: the job had ended already. */
  settle(row: OutcomeRow): boolean {
    const job = this.#jobs.get(row.id)
    if (job === undefined || isTerminal(job.state) || job.attempt + 1 !== row.attempt) return false
    for (const event of eventsOf(row)) this.#append(row.id, row.plugin, event)
    return true
  }

  #append(id: JobId, plugin: PluginName, event: JobLogEvent): void {
    this.#jobs.set(id, evolve(this.#jobs.get(id), { stream: id, plugin, recordedAt: new Date(this.#now()), event }))
  }
}

function eventsOf(row: OutcomeRow): readonly JobLogEvent[] {
  switch (row.type) {
    case 'job.succeeded':
      return [{ type: row.type, ...row.data }]
    case 'job.failed':
      return [{ type: row.type, ...row.data }]
    case 'job.attempt_failed':
      return [{ type: row.type, ...row.data }, ...(row.state === 'dead' ? [{ type: 'job.dead' as const, ...row.dead }] : [])]
    case 'job.attempt_lost':
      return [{ type: row.type, ...row.data }, ...(row.state === 'dead' ? [{ type: 'job.dead' as const, ...row.dead }] : [])]
  }
}
