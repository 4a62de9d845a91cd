import { ensurePartitions, retentionCutoff, retire } from '../event-log/partitions.ts'
import type { Database } from '../postgres/sql.ts'
import type { Queue } from '../queue/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Clock } from './clock.ts'
import { forgetMeasures, measure } from './measure.ts'
import { pause } from './pause.ts'
import type { PluginDirectory } from './plugin-port.ts'
import { retireReplays } from './replay/replays-table.ts'
import type { WorkerRegistry } from './worker-registry.ts'

export interface MaintenanceOptions {
  readonly database: Database
  readonly queue: Queue
  readonly metrics: Metrics
  readonly logger: Logger
  readonly clock: Clock
  readonly retentionDays: number
  /** Which plugins some worker runs. */
  readonly workers: Pick<WorkerRegistry, 'served'>
  /** The plugins that are ready here. */
  readonly plugins: Pick<PluginDirectory, 'runnable'>
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
    every(options.measureSeconds ?? 5, () => measure({ ...options, now: options.clock.now() })),
    every(options.measureSeconds ?? 5, () => measureServed(options)),
    every(options.tidySeconds ?? 3_600, () => tidy(options, signal)),
    ...(options.duties ?? []).map((duty) => every(duty.everySeconds, () => duty.run(signal))),
  ]
  await Promise.all(tasks)
  forgetMeasures(metrics)
  metrics.pluginsUnserved.clear()

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

async function measureServed({ workers, plugins, metrics }: MaintenanceOptions): Promise<void> {
  const served = await workers.served()
  metrics.pluginsUnserved.clear()
  for (const { name } of plugins.runnable()) metrics.pluginsUnserved.set({ plugin: name }, served.has(name) ? 0 : 1)
}

async function tidy({ database, clock, retentionDays, logger }: MaintenanceOptions, signal: AbortSignal): Promise<void> {
  await ensurePartitions(database)
  const cutoff = retentionCutoff(clock.now(), retentionDays)
  const retired = await retire(database, cutoff, signal)
  await retireReplays(database, cutoff)
  if (retired.jobs > 0 || retired.partitions.length > 0) logger.info(retired, 'what is past retention was removed')
}
