import { correlationId, eventId, jobId } from '../../event-log/index.ts'
import type { CorrelationId, EventId, Json, StoredState } from '../../event-log/index.ts'
import type { Sql, Statement } from '../../postgres/sql.ts'
import { receiverOf } from './classify.ts'
import type { FrozenSelection } from './filter.ts'
import type { Delivered } from './receivers.ts'

export type EventSelection = Extract<FrozenSelection, { kind: 'events' }>

/** An emitted event, as far as a replay needs it. */
export interface LoggedEmit {
  readonly id: EventId
  readonly name: string
  readonly source: string
  readonly time: string
  readonly data: Json
  readonly correlationId: CorrelationId
  readonly causationId: string | null
  /** Where a reader of the log stands after it. */
  readonly cursor: string
}

interface EventRow {
  id: string
  name: string
  source: string
  time: string
  data: { value: Json }
  correlation_id: string
  causation_id: string | null
  cursor: string
}

const COLUMNS = `stream::text as id, data ->> 'name' as name, data ->> 'source' as source, data ->> 'time' as time,
  jsonb_build_object('value', data -> 'data') as data, data ->> 'correlation_id' as correlation_id, data ->> 'causation_id' as causation_id,
  xid::text || ' ' || position::text as cursor`

function fromRow(row: EventRow): LoggedEmit {
  return {
    id: eventId(row.id),
    name: row.name,
    source: row.source,
    time: row.time,
    data: row.data.value,
    correlationId: correlationId(row.correlation_id),
    causationId: row.causation_id,
    cursor: row.cursor,
  }
}

const BY_IDS: Statement = {
  name: 'emitted_by_ids',
  text: `select ${COLUMNS} from xcore.event_log where stream = any($1::uuid[]) and type = 'event.emitted'`,
}

export async function eventsByIds(sql: Sql, ids: readonly string[]): Promise<LoggedEmit[]> {
  return ids.length === 0 ? [] : (await sql.query<EventRow>(BY_IDS, [ids])).map(fromRow)
}

function conditionsOf({ filter }: EventSelection): { where: string; params: unknown[] } {
  const params: unknown[] = []
  const where = [`type = 'event.emitted'`]
  const add = (condition: (n: string) => string, value: unknown) => {
    if (value === undefined) return
    params.push(value)
    where.push(condition(`$${params.length}`))
  }
  // Bounds on the time prune partitions.
  add((n) => `recorded_at >= ${n}`, filter.since)
  add((n) => `recorded_at < ${n}`, filter.until)
  add((n) => `data ->> 'name' = ${n}`, filter.name)
  add((n) => `data ->> 'source' = ${n}`, filter.source)
  add((n) => `data ->> 'correlation_id' = ${n}`, filter.correlationId)
  return { where: where.join(' and '), params }
}

/** The next events in the order of the log, after `cursor`. */
export async function eventsAfter(sql: Sql, selection: EventSelection, cursor: string | null, limit: number): Promise<LoggedEmit[]> {
  const { where, params } = conditionsOf(selection)
  const [xid = '0', position = '0'] = cursor?.split(' ') ?? []
  const n = params.length
  const rows = await sql.run<EventRow>(
    `select ${COLUMNS} from xcore.event_log
    where ${where} and (xid, position) > ($${n + 1}::xid8, $${n + 2}::bigint) and xid < pg_snapshot_xmin(pg_current_snapshot())
    order by event_log.xid, event_log.position limit $${n + 3}`,
    [...params, xid, position, limit],
  )
  return rows.map(fromRow)
}

export async function countEvents(sql: Sql, selection: EventSelection): Promise<number> {
  const { where, params } = conditionsOf(selection)
  const [row] = await sql.run<{ count: number }>(`select count(*)::int as count from xcore.event_log where ${where}`, params)
  return row?.count ?? 0
}

// A delivery shares the correlation id of its event, which is what the index is on. Replays of it carry the event on in `meta`.
const DELIVERED: Statement = {
  name: 'last_deliveries',
  text: `
    select distinct on (e.id, j.plugin, j.meta -> 'event' ->> 'subscription')
      e.id::text as event, j.id::text as id, j.plugin, j.meta -> 'event' ->> 'subscription' as subscription, j.state
    from unnest($1::uuid[], $2::uuid[]) as e(id, correlation)
    join xcore.jobs j on j.correlation_id = e.correlation and j.correlation_id <> j.id
    where j.kind = 'event' and j.meta -> 'event' ->> 'id' = e.id::text
    order by e.id, j.plugin, j.meta -> 'event' ->> 'subscription', j.id desc`,
}

/** The last delivery of each event to each of its receivers: event id → `PLUGIN/SUBSCRIPTION` → delivery. */
export async function lastDeliveries(sql: Sql, events: readonly LoggedEmit[]): Promise<Map<EventId, Map<string, Delivered>>> {
  const found = new Map<EventId, Map<string, Delivered>>(events.map((event) => [event.id, new Map()]))
  const rows = await sql.query<{ event: string; id: string; plugin: string; subscription: string; state: StoredState }>(DELIVERED, [
    events.map((event) => event.id),
    events.map((event) => event.correlationId),
  ])
  for (const { event, id, plugin, subscription, state } of rows) {
    found.get(eventId(event))?.set(receiverOf(plugin, subscription), { jobId: jobId(id), plugin, subscription, state })
  }
  return found
}
