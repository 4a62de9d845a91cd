import type { Sql, Statement } from '../postgres/sql.ts'
import type { JobId, PluginName } from './ids.ts'
import type { JobAttemptInterrupted } from './log-events.ts'

/** An attempt that was interrupted, to be kept in the history of its job. */
export interface InterruptionRow {
  readonly id: JobId
  readonly plugin: PluginName
  readonly data: Omit<JobAttemptInterrupted, 'type'>
}

// No fence: it changes nothing of the job, and it is true whatever became of the job meanwhile.
const RECORD_INTERRUPTIONS: Statement = {
  name: 'record_interruptions',
  text: `
    insert into xcore.event_log (stream, type, plugin, data)
    select id, 'job.attempt_interrupted', plugin, data
    from json_to_recordset($1::json) as r(id uuid, plugin text, data jsonb)`,
}

export async function recordInterruptions(sql: Sql, rows: readonly InterruptionRow[]): Promise<void> {
  if (rows.length > 0) await sql.query(RECORD_INTERRUPTIONS, [JSON.stringify(rows)])
}
