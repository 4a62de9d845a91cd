import { recordReplays } from '../../event-log/record-replays.ts'
import type { ReplayOrigin, ReplayRow } from '../../event-log/record-replays.ts'
import { recordRequests } from '../../event-log/record-requests.ts'
import type { RequestRow } from '../../event-log/record-requests.ts'
import type { JobId, JobKind, PluginName } from '../../event-log/index.ts'
import type { Database, Statement, Sql, Tx } from '../../postgres/sql.ts'
import type { Queue, QueueEntry } from '../../queue/index.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { PluginDirectory, RunnablePlugin } from '../plugin-port.ts'
import type { World } from './classify.ts'
import { receiverOf } from './classify.ts'
import type { LeftOut } from './port.ts'
import type { ItemRow } from './replays-table.ts'

/** What one transaction of a replay writes. */
export interface Batch {
  readonly repeats: ReplayRow[]
  /** Deliveries of an event to a subscription that never got it. */
  readonly deliveries: RequestRow[]
  readonly entries: QueueEntry[]
  readonly items: ItemRow[]
  readonly leftOut: Partial<Record<LeftOut, number>>
  readonly kinds: { readonly plugin: PluginName; readonly kind: JobKind }[]
}

export function emptyBatch(): Batch {
  return { repeats: [], deliveries: [], entries: [], items: [], leftOut: {}, kinds: [] }
}

export interface Repeated {
  readonly id: JobId
  readonly source: JobId
  readonly kind: JobKind
  readonly name: string
  readonly priority: number
}

export function addRepeat(batch: Batch, plugin: RunnablePlugin, job: Repeated): void {
  const { id, source, kind, name, priority } = job
  const { maxAttempts } = plugin.settings(kind, name).retry
  batch.repeats.push({ id, source, priority, max_attempts: maxAttempts, plugin_version: plugin.version })
  batch.entries.push({ jobId: id, plugin: plugin.name, priority, runAt: null })
  batch.kinds.push({ plugin: plugin.name, kind })
}

export function addLeftOut(batch: Batch, item: string, receiver: string, reason: LeftOut): void {
  batch.items.push({ item, receiver, job_id: null, left_out: reason })
  batch.leftOut[reason] = (batch.leftOut[reason] ?? 0) + 1
}

/** Log, jobs and queue; issued together they share a round trip. */
export async function writeBatch(tx: Tx, queue: Queue, origin: ReplayOrigin, batch: Batch): Promise<void> {
  const { repeats, deliveries, entries } = batch
  await queue.declare(entries.map((entry) => entry.plugin))
  await Promise.all([
    recordReplays(tx, origin, repeats),
    recordRequests(tx, deliveries),
    entries.length > 0 ? queue.enqueue(tx, entries) : undefined,
  ])
}

/** After the commit: wakes consumers and counts. */
export async function announceBatch(queue: Queue, metrics: Metrics, batch: Batch): Promise<void> {
  await queue.committed(batch.entries)
  metrics.eventsAppendedTotal.inc({ result: 'ok' }, batch.repeats.length + batch.deliveries.length)
  const sorts = Map.groupBy(batch.kinds, ({ plugin, kind }) => `${plugin} ${kind}`)
  for (const [first, ...others] of sorts.values()) {
    if (first !== undefined) metrics.jobsSubmittedTotal.inc({ ...first, source: 'replay' }, 1 + others.length)
  }
}

const SUBSCRIPTIONS: Statement = { name: 'subscription_names', text: 'select plugin, id from xcore.subscriptions' }

/** Who could run a job now. */
export async function worldOf(sql: Sql | Database, plugins: PluginDirectory): Promise<World> {
  const rows = await sql.query<{ plugin: string; id: string }>(SUBSCRIPTIONS)
  return { plugins, subscriptions: new Set(rows.map(({ plugin, id }) => receiverOf(plugin, id))) }
}
