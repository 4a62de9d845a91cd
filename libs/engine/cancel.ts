import { XCoreError } from '../errors/index.ts'
import type { Job, JobId } from '../event-log/index.ts'
import { findJobs } from '../event-log/jobs-table.ts'
import { recordCancels } from '../event-log/record-outcomes.ts'
import type { Notifications } from '../postgres/notifications.ts'
import type { Database } from '../postgres/sql.ts'
import type { Queue } from '../queue/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Clock } from './clock.ts'
import type { Waiters } from './waiters.ts'

export interface CancelOptions {
  readonly database: Database
  readonly queue: Queue
  readonly notifications: Notifications
  readonly waiters: Waiters
  readonly metrics: Metrics
  readonly logger: Logger
  readonly clock: Clock
}

/**
 * A cancel is final as soon as it is committed: the row's state fences off whatever a running handler may still report. The worker
 * that runs it is told, so that the handler's signal aborts and its slot is freed.
 */
export function createCancel(options: CancelOptions): (id: JobId, reason?: string) => Promise<Job> {
  const { database, queue, notifications, logger } = options
  return async (id, reason) => {
    const data = { finished_at: new Date(options.clock.now()).toISOString(), ...(reason === undefined ? {} : { reason }) }
    const cancelled = await database.transaction(async (tx) => {
      const rows = await recordCancels(tx, [{ id, data }])
      if (rows.length > 0)
        await queue.remove(
          tx,
          rows.map((row) => ({ jobId: row.id, plugin: row.plugin })),
        )
      return rows.length > 0
    })
    const [job] = await findJobs(database, [id])
    if (job === undefined) throw new XCoreError('not_found', `There is no job ${id}.`)
    if (!cancelled) {
      if (job.state === 'cancelled') return job
      throw new XCoreError(
        'job_finished',
        `The job ${id} is ${job.state} since ${job.finishedAt?.toISOString() ?? 'a while'}; only a job that has not finished can be cancelled.`,
      )
    }
    await notifications
      .notify('xcore_cancelled', id)
      .catch((err: unknown) => logger.warn({ err, job: id }, 'the worker could not be told of the cancel; its outcome is fenced off'))
    options.metrics.jobsFinishedTotal.inc({ plugin: job.plugin, kind: job.kind, name: job.name, outcome: 'cancelled' })
    options.waiters.settled([job])
    return job
  }
}
