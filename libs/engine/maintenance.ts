import { ensurePartitions, retentionCutoff, retire } from '../event-log/partitions.ts'
import type { Database } from '../postgres/sql.ts'
import type { Queue } from '../queue/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Clock } from './clock.ts'
import { forgetMeasures, measure } from './measure.ts'
import { retireReplays } from './replay/replays-table.ts'

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
}

/** What one process does for all: it is run by the elected leader, until `signal` aborts. */
export async function runMaintenance(options: MaintenanceOptions, signal: AbortSignal): Promise<void> {
  const { metrics, logger } = options
  const tasks = [
    every(options.measureSeconds ?? 5, () => measure({ ...options, now: options.clock.now() })),
    every(options.tidySeconds ?? 3_600, () => tidy(options, signal)),
  ]
  await Promise.all(tasks)
  forgetMeasures(metrics)

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

async function tidy({ database, clock, retentionDays, logger }: MaintenanceOptions, signal: AbortSignal): Promise<void> {
  await ensurePartitions(database)
  const cutoff = retentionCutoff(clock.now(), retentionDays)
  const retired = await retire(database, cutoff, signal)
  await retireReplays(database, cutoff)
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
