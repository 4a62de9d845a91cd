import { listPartitions } from '../event-log/partitions.ts'
import { horizonLagSeconds } from '../event-log/read-log.ts'
import type { Database, Statement } from '../postgres/sql.ts'
import type { Queue } from '../queue/index.ts'
import type { Metrics } from '../telemetry/metrics.ts'

export interface MeasureOptions {
  readonly database: Database
  readonly queue: Queue
  readonly metrics: Metrics
  /** Milliseconds since the epoch. */
  readonly now: number
}

const DATABASE: Statement = {
  name: 'measure_database',
  text: `
    select pg_database_size(current_database())::float8 as bytes,
      (select coalesce(sum(total - looked_at), 0)::float8 from xcore.replays where state = 'running' and selected_at is null) as remaining`,
}

/** Reads what is true of all of XCore, not of one process, into the gauges. Run by one elected process, never by a scrape. */
export async function measure({ database, queue, metrics, now }: MeasureOptions): Promise<void> {
  const [depths, lag, partitions, [row]] = await Promise.all([
    queue.depths(),
    horizonLagSeconds(database),
    listPartitions(database),
    database.query<{ bytes: number; remaining: number }>(DATABASE),
  ])
  metrics.queueJobs.clear()
  metrics.queueOldestWaitingSeconds.clear()
  for (const { plugin, waiting, delayed, held, oldestWaitingSince } of depths) {
    metrics.queueJobs.set({ plugin, state: 'queued' }, waiting)
    metrics.queueJobs.set({ plugin, state: 'scheduled' }, delayed)
    metrics.queueJobs.set({ plugin, state: 'active' }, held)
    const waited = oldestWaitingSince === null ? 0 : (now - oldestWaitingSince.getTime()) / 1000
    metrics.queueOldestWaitingSeconds.set({ plugin }, Math.max(0, waited))
  }
  metrics.eventlogHorizonLagSeconds.set({}, lag)
  const covered = partitions.reduce((latest, partition) => Math.max(latest, partition.end), now)
  metrics.eventlogAheadSeconds.set({}, (covered - now) / 1000)
  metrics.databaseSizeBytes.set({}, row?.bytes ?? 0)
  metrics.replayRemainingItems.set({}, row?.remaining ?? 0)
}

/** Another process measures from now on; two truths would be added up by who reads them. */
export function forgetMeasures(metrics: Metrics): void {
  metrics.queueJobs.clear()
  metrics.queueOldestWaitingSeconds.clear()
  metrics.eventlogHorizonLagSeconds.remove({})
  metrics.eventlogAheadSeconds.remove({})
  metrics.databaseSizeBytes.remove({})
  metrics.replayRemainingItems.remove({})
}
