import type { Sql, Statement } from '../postgres/sql.ts'
import { eventId, jobId, pluginName } from './ids.ts'
import type { JobId } from './ids.ts'
import type { JobLogEvent, LogEvent, LogEventType, LoggedEvent } from './log-events.ts'

interface LogRow {
  position: string
  xid: string
  recorded_at: Date
  stream: string
  type: LogEventType
  plugin: string | null
  data: object
}

// `order by` must name the table's columns: the bare names are these texts, and '9' sorts after '10'.
const COLUMNS = 'position::text, xid::text, recorded_at, stream, type, plugin, data'

function fromRow(row: LogRow): LoggedEvent {
  return {
    position: BigInt(row.position),
    xid: BigInt(row.xid),
    recordedAt: row.recorded_at,
    stream: row.type.startsWith('event.') ? eventId(row.stream) : jobId(row.stream),
    plugin: row.plugin === null ? null : pluginName(row.plugin),
    // the table's CHECK admits only these types, and only record-*.ts write their data
    event: { type: row.type, ...row.data } as LogEvent,
  }
}

// Every write to one stream waits for the row lock of its job, so within a stream the position alone is the order.
const STREAM: Statement = {
  name: 'read_stream',
  text: `select ${COLUMNS} from xcore.event_log where stream = $1::uuid order by event_log.position`,
}

/** All rows of one job or event, oldest first. */
export async function readStream(sql: Sql, stream: string): Promise<LoggedEvent[]> {
  return (await sql.query<LogRow>(STREAM, [stream])).map(fromRow)
}

/** Where an ordered reader stands: everything up to and including it has been read. */
export interface Checkpoint {
  readonly xid: bigint
  readonly position: bigint
}

export const LOG_START: Checkpoint = { xid: 0n, position: 0n }

// Rows of transactions at or above the oldest running one are left for later: one that is still open may yet commit rows
// that sort before them. See docs/adr/0002-event-log-order.md.
const LOG_PAGE: Statement = {
  name: 'read_log_page',
  text: `
    select ${COLUMNS} from xcore.event_log
    where (xid, position) > ($1::xid8, $2::bigint) and xid < pg_snapshot_xmin(pg_current_snapshot())
    order by event_log.xid, event_log.position limit $3`,
}

const LOG_PAGE_TO_END: Statement = {
  name: 'read_log_page_to_end',
  text: `
    select ${COLUMNS} from xcore.event_log
    where (xid, position) > ($1::xid8, $2::bigint)
    order by event_log.xid, event_log.position limit $3`,
}

/**
 * The next rows in order after `after`. Gap-safe: a row that is returned is never followed later by one that sorts before it.
 * `toEnd` reads past the horizon; only right while writers are locked out.
 */
export async function readLog(sql: Sql, after: Checkpoint, limit: number, toEnd = false): Promise<LoggedEvent[]> {
  const statement = toEnd ? LOG_PAGE_TO_END : LOG_PAGE
  return (await sql.query<LogRow>(statement, [after.xid.toString(), after.position.toString(), limit])).map(fromRow)
}

export function checkpointOf(event: LoggedEvent): Checkpoint {
  return { xid: event.xid, position: event.position }
}

const HORIZON_LAG: Statement = {
  name: 'log_horizon_lag',
  text: `
    select coalesce(extract(epoch from clock_timestamp() - min(xact_start)), 0)::float8 as seconds
    from pg_stat_activity
    where backend_xid is not null and datname = current_database() and pid <> pg_backend_pid()`,
}

/** For how long the oldest writing transaction has been open: ordered readers are behind by that much. */
export async function horizonLagSeconds(sql: Sql): Promise<number> {
  const rows = await sql.query<{ seconds: number }>(HORIZON_LAG)
  return Math.max(0, rows[0]?.seconds ?? 0)
}

export function isJobStream(event: LoggedEvent): event is LoggedEvent & { stream: JobId; event: JobLogEvent } {
  return event.event.type.startsWith('job.')
}
