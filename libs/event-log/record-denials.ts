import type { Sql, Statement } from '../postgres/sql.ts'
import type { EventId, JobId, PluginName } from './ids.ts'
import type { PermissionDenied } from './log-events.ts'

/** A denied check, to be kept in the log. */
export interface DenialRow {
  /** The job that asked; an id of its own when no job did. */
  readonly stream: JobId | EventId
  readonly plugin: PluginName
  readonly data: Omit<PermissionDenied, 'type'>
}

const RECORD_DENIALS: Statement = {
  name: 'record_denials',
  text: `
    insert into xcore.event_log (stream, type, plugin, data)
    select stream, 'permission.denied', plugin, data
    from json_to_recordset($1::json) as r(stream uuid, plugin text, data jsonb)`,
}

export async function recordDenials(sql: Sql, rows: readonly DenialRow[]): Promise<void> {
  if (rows.length > 0) await sql.query(RECORD_DENIALS, [JSON.stringify(rows)])
}
