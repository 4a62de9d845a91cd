import type { Sql, Statement, Tx } from '../postgres/sql.ts'
import type { EventId, JobId, PluginName } from './ids.ts'
import type { EventEmitted, JobRequested } from './log-events.ts'

/** A job to be accepted: its first log row and its row in the read model. */
export interface RequestRow {
  readonly id: JobId
  readonly plugin: PluginName
  readonly data: Omit<JobRequested, 'type'>
}

// Three columns as lines of text: JSON.stringify costs Node a fifth of what building 20 array literals does and never writes a raw line
// break, the payload travels once for both tables, and Postgres splits lines faster than it takes a recordset apart (measured: 17.5
// instead of 23.5 µs a job). recorded_at keeps microseconds; the read model keeps what JavaScript's Date can hold,
// so that the fold in job-state.ts arrives at the same value.
const RECORD_REQUESTS: Statement = {
  name: 'record_requests',
  text: `
    with input as materialized (
      select * from unnest(string_to_array($1, E'\\n')::uuid[], string_to_array($2, E'\\n'), string_to_array($3, E'\\n')::jsonb[])
        as r(id, plugin, data)
    ), logged as (
      insert into xcore.event_log (stream, type, plugin, data)
      select id, 'job.requested', plugin, data from input
    )
    insert into xcore.jobs (id, kind, plugin, name, state, priority, max_attempts, payload, requested_at, run_at,
      correlation_id, causation_id, replay_of, replay_id, idempotency_key, plugin_version, meta)
    select id, data ->> 'kind', plugin, data ->> 'name',
      case when data ? 'run_at' then 'scheduled' else 'queued' end,
      (data ->> 'priority')::smallint, (data ->> 'max_attempts')::smallint, data -> 'payload',
      date_trunc('milliseconds', now()), coalesce((data ->> 'run_at')::timestamptz, date_trunc('milliseconds', now())),
      (data ->> 'correlation_id')::uuid, (data ->> 'causation_id')::uuid, (data ->> 'replay_of')::uuid, (data ->> 'replay_id')::uuid,
      data ->> 'idempotency_key', data ->> 'plugin_version', coalesce(data -> 'meta', '{}')
    from input`,
}

/** Writes `job.requested` and the jobs row of each, in one round trip. */
export async function recordRequests(tx: Tx, rows: readonly RequestRow[]): Promise<void> {
  if (rows.length === 0) return
  const lines = (line: (row: RequestRow) => string) => rows.map(line).join('\n')
  await tx.query(RECORD_REQUESTS, [lines((row) => row.id), lines((row) => row.plugin), lines((row) => JSON.stringify(row.data))])
}

export interface EmittedRow {
  readonly id: EventId
  /** The plugin that emitted it; null: the outside. */
  readonly plugin: PluginName | null
  readonly data: Omit<EventEmitted, 'type'>
}

const RECORD_EVENTS: Statement = {
  name: 'record_events',
  text: `
    insert into xcore.event_log (stream, type, plugin, data)
    select id, 'event.emitted', plugin, data
    from json_to_recordset($1::json) as r(id uuid, plugin text, data jsonb)`,
}

export async function recordEvents(tx: Tx, rows: readonly EmittedRow[]): Promise<void> {
  if (rows.length > 0) await tx.query(RECORD_EVENTS, [JSON.stringify(rows)])
}

export interface KeyRow {
  readonly scope: string
  readonly key: string
  readonly fingerprint: string
  readonly accepted: string
  readonly jobs: readonly string[]
}

// Rows are inserted in key order, so that two batches that share keys wait for each other instead of deadlocking.
const CLAIM_KEYS: Statement = {
  name: 'claim_idempotency_keys',
  text: `
    insert into xcore.idempotency_keys (scope, key, fingerprint, accepted, jobs)
    select scope, key, fingerprint, accepted, array(select jsonb_array_elements_text(jobs)::uuid)
    from json_to_recordset($1::json) as r(scope text, key text, fingerprint text, accepted uuid, jobs jsonb)
    order by scope, key
    on conflict do nothing
    returning scope, key`,
}

const KNOWN_KEYS: Statement = {
  name: 'known_idempotency_keys',
  text: `
    select k.scope, k.key, k.fingerprint, k.accepted::text, k.jobs::text[] as jobs
    from json_to_recordset($1::json) as r(scope text, key text)
    join xcore.idempotency_keys k using (scope, key)`,
}

/** Takes the keys that are new; returns the rows of those that were there already. Waits for whoever is taking the same key. */
export async function claimKeys(tx: Tx, rows: readonly KeyRow[]): Promise<KeyRow[]> {
  if (rows.length === 0) return []
  const taken = await tx.query<{ scope: string; key: string }>(CLAIM_KEYS, [JSON.stringify(rows)])
  if (taken.length === rows.length) return []
  const mine = new Set(taken.map((row) => keyOf(row)))
  const others = rows.filter((row) => !mine.has(keyOf(row))).map(({ scope, key }) => ({ scope, key }))
  return knownKeys(tx, others)
}

export async function knownKeys(sql: Sql, keys: readonly { scope: string; key: string }[]): Promise<KeyRow[]> {
  return keys.length === 0 ? [] : sql.query<KeyRow>(KNOWN_KEYS, [JSON.stringify(keys)])
}

export function keyOf(row: { readonly scope: string; readonly key: string }): string {
  return `${row.scope}\u0001${row.key}`
}
