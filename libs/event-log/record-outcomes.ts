import type { Statement, Tx } from '../postgres/sql.ts'
import type { JobId, PluginName } from './ids.ts'
import type { StoredState } from './job.ts'
import type { JobAttemptFailed, JobAttemptLost, JobCancelled, JobDead, JobFailed, JobSucceeded } from './log-events.ts'

type Data<Event extends { type: string }> = Omit<Event, 'type'>

/** What the end of one attempt writes: one row of the log, or two when the job dies of it. */
export type OutcomeRow = OutcomeBase &
  (
    | { readonly state: 'succeeded'; readonly type: 'job.succeeded'; readonly data: Data<JobSucceeded> }
    | { readonly state: 'failed'; readonly type: 'job.failed'; readonly data: Data<JobFailed> }
    | { readonly state: 'retrying'; readonly type: 'job.attempt_failed'; readonly data: Data<JobAttemptFailed> }
    | { readonly state: 'retrying'; readonly type: 'job.attempt_lost'; readonly data: Data<JobAttemptLost> }
    | { readonly state: 'dead'; readonly type: 'job.attempt_failed'; readonly data: Data<JobAttemptFailed>; readonly dead: Data<JobDead> }
    | { readonly state: 'dead'; readonly type: 'job.attempt_lost'; readonly data: Data<JobAttemptLost>; readonly dead: Data<JobDead> }
  )

interface OutcomeBase {
  readonly id: JobId
  readonly plugin: PluginName
  /** The attempt that ended. Written only if it is the next one and the job is not finished: the fence. */
  readonly attempt: number
}

// A stack stays in the log: the read model is what callers see.
// The update is the fence: only the attempt that follows the recorded ones may write, and only while the job is not finished.
// The log rows go in for exactly the rows that passed it.
const OUTCOMES = `
  with input as materialized (
      select id, plugin, attempt, state, type, data, nullif(dead, '')::jsonb as dead
      from unnest(string_to_array($1, E'\\n')::uuid[], string_to_array($2, E'\\n'), $3::smallint[], string_to_array($4, E'\\n'),
        string_to_array($5, E'\\n'), string_to_array($6, E'\\n')::jsonb[], string_to_array($7, E'\\n'))
        as r(id, plugin, attempt, state, type, data, dead)
    ), settled as (
      update xcore.jobs j set
        state = i.state,
        attempt = i.attempt,
        result = i.data -> 'result',
        error = (i.data -> 'error') - 'stack',
        error_code = i.data -> 'error' ->> 'code',
        run_at = coalesce((i.data ->> 'retry_at')::timestamptz, j.run_at),
        started_at = coalesce((i.data ->> 'started_at')::timestamptz, j.started_at),
        plugin_version = coalesce(i.data ->> 'plugin_version', j.plugin_version),
        finished_at = case i.state when 'retrying' then null when 'dead' then (i.dead ->> 'finished_at')::timestamptz
                      else (i.data ->> 'finished_at')::timestamptz end
      from input i
      where j.id = i.id and j.attempt = i.attempt - 1 and j.finished_at is null
      returning j.id, i.plugin, i.type, i.data, i.dead
    ), logged as (
      insert into xcore.event_log (stream, type, plugin, data)
      select s.id, e.type, s.plugin, e.data
      from settled s
      cross join lateral (select 1 as nth, s.type, s.data union all select 2, 'job.dead', s.dead where s.dead is not null) e
      order by e.nth
    )
`

const RECORD_OUTCOMES: Statement = { name: 'record_outcomes', text: `${OUTCOMES} select id::text from settled` }
const RECORD_ALL_OUTCOMES: Statement = {
  name: 'record_all_outcomes',
  text: `${OUTCOMES} select xcore.require_rows(count(*), array_length($3::smallint[], 1)) from settled`,
}

/** The SQLSTATE of `recordAllOutcomes` when an outcome did not pass the fence. */
export const FENCED_STATE = 'XC001'

/** Records the ends of attempts in one round trip, one a job. Returns the ids that passed the fence; the others changed nothing. */
export async function recordOutcomes(tx: Tx, rows: readonly OutcomeRow[]): Promise<Set<string>> {
  if (rows.length === 0) return new Set()
  const settled = await tx.query<{ id: string }>(RECORD_OUTCOMES, paramsOf(rows))
  return new Set(settled.map((row) => row.id))
}

/** The same for all or none: fails with SQLSTATE `XC001` when one did not pass the fence. */
export async function recordAllOutcomes(tx: Tx, rows: readonly OutcomeRow[]): Promise<void> {
  await tx.query(RECORD_ALL_OUTCOMES, paramsOf(rows))
}

function paramsOf(rows: readonly OutcomeRow[]): unknown[] {
  const lines = (line: (row: OutcomeRow) => string) => rows.map(line).join('\n')
  return [
    lines((row) => row.id),
    lines((row) => row.plugin),
    rows.map((row) => row.attempt),
    lines((row) => row.state),
    lines((row) => row.type),
    lines((row) => JSON.stringify(row.data)),
    lines((row) => (row.state === 'dead' ? JSON.stringify(row.dead) : '')),
  ]
}

export interface CancelRow {
  readonly id: JobId
  readonly data: Data<JobCancelled>
}

const RECORD_CANCELS: Statement = {
  name: 'record_cancels',
  text: `
  with input as materialized (
      select * from json_to_recordset($1::json) as r(id uuid, data jsonb)
    ), settled as (
      update xcore.jobs j set state = 'cancelled', finished_at = (i.data ->> 'finished_at')::timestamptz
      from input i
      where j.id = i.id and j.finished_at is null
      returning j.id, j.plugin, i.data
    ), logged as (
      insert into xcore.event_log (stream, type, plugin, data)
      select id, 'job.cancelled', plugin, data from settled
    )
    select id::text, plugin from settled`,
}

/** Cancels what has not finished; returns what it cancelled. A running attempt is fenced off by it. */
export async function recordCancels(tx: Tx, rows: readonly CancelRow[]): Promise<{ id: JobId; plugin: PluginName }[]> {
  return rows.length === 0 ? [] : tx.query(RECORD_CANCELS, [JSON.stringify(rows)])
}

/** The states that `recordOutcomes` may write. */
export type OutcomeState = Extract<StoredState, OutcomeRow['state']>
