import { jobId } from '../../event-log/index.ts'
import type { Tx } from '../../postgres/sql.ts'
import type { Subscribers } from '../subscriptions.ts'
import { addLeftOut, addRepeat, announceBatch, emptyBatch, worldOf, writeBatch } from './batch.ts'
import type { Batch } from './batch.ts'
import { candidatesAfter } from './candidates.ts'
import type { JobSelection } from './candidates.ts'
import { classify } from './classify.ts'
import { addDeliveries } from './deliveries.ts'
import { eventsAfter, lastDeliveries } from './logged-events.ts'
import type { EventSelection } from './logged-events.ts'
import type { LeftOut } from './port.ts'
import { LEFT_OUT } from './progress.ts'
import { chooseReceivers } from './receivers.ts'
import { advanceReplay, insertItems, lockReplay } from './replays-table.ts'
import type { StoredReplay } from './replays-table.ts'
import type { ReplayPorts } from './single.ts'

/** Items looked at in one transaction; more would keep the pool's connection and the replay's row for long. */
export const PAGE = 2_000
/** Of a paced replay: room to pass over items that are left out. */
const SMALLEST_PAGE = 100

interface Step {
  readonly batch: Batch
  /** null: nothing was left to look at. */
  readonly cursor: string | null
  readonly lookedAt: number
}

/**
 * One transaction of a bulk replay: reads the next items, decides on each, and writes items, log, jobs, queue and its own cursor
 * together. Whoever dies in the middle leaves nothing behind, and the next leader goes on from the cursor.
 * Answers how many jobs it enqueued; at most `most`.
 */
export async function carryOut(ports: ReplayPorts, subscribers: Subscribers, id: string, most: number, now: Date): Promise<number> {
  const { database, queue, metrics } = ports
  const batch = await database.transaction(async (tx) => {
    const replay = await lockReplay(tx, id)
    if (replay?.state !== 'running' || replay.selectedAt !== null) return undefined
    const { selection } = replay
    const step =
      selection.kind === 'jobs'
        ? await jobsStep(tx, ports, replay, selection, most)
        : await eventsStep(tx, ports, subscribers, replay, selection, most)
    const { reason, actor, edited } = replay
    await Promise.all([
      writeBatch(tx, queue, { replayId: replay.id, actor, reason, edited }, step.batch),
      insertItems(tx, replay.id, step.batch.items),
      advanceReplay(tx, replay.id, {
        cursor: step.cursor,
        lookedAt: step.lookedAt,
        enqueued: step.batch.entries.length,
        leftOut: sum(replay.leftOut, step.batch.leftOut),
        selectedAt: step.cursor === null ? now : null,
      }),
    ])
    return step.batch
  })
  if (batch === undefined) return 0
  await announceBatch(queue, metrics, batch)
  if (batch.entries.length > 0) metrics.replayItemsTotal.inc({ result: 'enqueued' }, batch.entries.length)
  for (const [reason, count] of Object.entries(batch.leftOut)) metrics.replayItemsTotal.inc({ result: reason }, count)
  return batch.entries.length
}

async function jobsStep(tx: Tx, ports: ReplayPorts, replay: StoredReplay, selection: JobSelection, most: number): Promise<Step> {
  const { ids, plugins } = ports
  const batch = emptyBatch()
  const [candidates, world] = await Promise.all([
    candidatesAfter(tx, selection, replay.cursor, Math.min(PAGE, Math.max(SMALLEST_PAGE, most))),
    worldOf(tx, plugins),
  ])
  let cursor: string | null = null
  let lookedAt = 0
  for (const candidate of candidates) {
    if (batch.entries.length >= most) break
    const verdict = classify(candidate, world, { force: replay.force, edited: replay.edited })
    if (verdict.kind === 'replay') {
      const id = jobId(ids.uuid())
      addRepeat(batch, verdict.plugin, { ...candidate, id, source: candidate.id, priority: Math.min(candidate.priority, replay.priority) })
      batch.items.push({ item: candidate.id, receiver: '', job_id: id, left_out: null })
    } else addLeftOut(batch, candidate.id, '', verdict.reason)
    cursor = candidate.id
    lookedAt++
  }
  return { batch, cursor, lookedAt }
}

async function eventsStep(
  tx: Tx,
  { ids }: ReplayPorts,
  subscribers: Subscribers,
  replay: StoredReplay,
  selection: EventSelection,
  most: number,
): Promise<Step> {
  const batch = emptyBatch()
  const events = await eventsAfter(tx, selection, replay.cursor, Math.min(PAGE, Math.max(SMALLEST_PAGE, most)))
  const deliveries = await lastDeliveries(tx, events)
  let cursor: string | null = null
  let lookedAt = 0
  for (const event of events) {
    if (batch.entries.length >= most) break
    const fitting = await subscribers.matching(tx, event.name)
    const choice = chooseReceivers(fitting, deliveries.get(event.id) ?? new Map(), { to: selection.to, again: selection.to === 'all' })
    addDeliveries(batch, event, choice, { ids, replayId: replay.id, lane: replay.priority })
    if (choice.deliver.length + choice.leftOut.length === 0) addLeftOut(batch, event.id, '', 'unhandled')
    cursor = event.cursor
    lookedAt++
  }
  return { batch, cursor, lookedAt }
}

type LeftOutCounts = Readonly<Partial<Record<LeftOut, number>>>

function sum(a: LeftOutCounts, b: LeftOutCounts): LeftOutCounts {
  const total: Partial<Record<LeftOut, number>> = {}
  for (const reason of LEFT_OUT) {
    const count = (a[reason] ?? 0) + (b[reason] ?? 0)
    if (count > 0) total[reason] = count
  }
  return total
}
