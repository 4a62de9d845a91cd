import { ensurePartitions, retentionCutoff, retire } from '../event-log/partitions.ts'
import { horizonLagSeconds } from '../event-log/read-log.ts'
import type { Database } from '../postgres/sql.ts'
import type { Queue } from '../queue/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Clock } from './clock.ts'

export interface MaintenanceOptions {
  readonly database: Database
  readonly queue: Queue
  readonly metrics: Metrics
  readonly logger: Logger
  readonly clock: Clock
  readonly retentionDays: number
  /** How often depth and age of the queues and the log's lag are read. Default 5. */
  readonly measureSeconds?: number
  /** How often partitions are made and dropped. Default 3,600. */
  readonly tidySeconds?: number
  /** What else one process does for all. Default: nothing. */
  readonly duties?: readonly MaintenanceDuty[]
}

/** Run at once and then every so often; a failure is logged and the next turn comes. */
export interface MaintenanceDuty {
  readonly everySeconds: number
  run(signal: AbortSignal): Promise<void>
}

/** What one process does for all: it is run by the elected leader, until `signal` aborts. */
export async function runMaintenance(options: MaintenanceOptions, signal: AbortSignal): Promise<void> {
  const { metrics, logger } = options
  const tasks = [
    every(options.measureSeconds ?? 5, () => measure(options)),
    every(options.tidySeconds ?? 3_600, () => tidy(options, signal)),
    ...(options.duties ?? []).map((duty) => every(duty.everySeconds, () => duty.run(signal))),
  ]
  await Promise.all(tasks)
  // Another process measures from now on; two truths would be added up by who reads them.
  metrics.queueJobs.clear()
  metrics.queueOldestWaitingSeconds.clear()
  metrics.eventlogHorizonLagSeconds.clear()

  async function every(seconds: number, work: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      try {
        await work()
      } catch (err) {
        if (!signal.aborted) logger.warn({ err }, 'a maintenance task failed; it is tried again')
      }
      await pause(seconds * 1000, signal)
    }
  }
}

async function measure({ queue, metrics, clock, database }: MaintenanceOptions): Promise<void> {
  const depths = await queue.depths()
  metrics.queueJobs.clear()
  metrics.queueOldestWaitingSeconds.clear()
  for (const { plugin, waiting, delayed, held, oldestWaitingSince } of depths) {
    metrics.queueJobs.set({ plugin, state: 'queued' }, waiting)
    metrics.queueJobs.set({ plugin, state: 'scheduled' }, delayed)
    metrics.queueJobs.set({ plugin, state: 'active' }, held)
    metrics.queueOldestWaitingSeconds.set(
      { plugin },
      oldestWaitingSince === null ? 0 : Math.max(0, clock.now() - oldestWaitingSince.getTime()) / 1000,
    )
  }
  metrics.eventlogHorizonLagSeconds.set({}, await horizonLagSeconds(database))
}

async function tidy({ database, clock, retentionDays, logger }: MaintenanceOptions, signal: AbortSignal): Promise<void> {
  await ensurePartitions(database)
  const retired = await retire(database, retentionCutoff(clock.now(), retentionDays), signal)
  if (retired.jobs > 0 || retired.partitions.length > 0) logger.info(retired, 'what is past retention was removed')
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
