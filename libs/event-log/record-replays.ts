import type { Statement, Tx } from '../postgres/sql.ts'
import type { JobId, ReplayId } from './ids.ts'
import type { Json } from './json.ts'
import type { ReplayChanged, ReplayRequested } from './log-events.ts'

/** A job that repeats a finished one. All else is taken from that one. */
export interface ReplayRow {
  readonly id: JobId
  readonly source: JobId
  readonly priority: number
  readonly max_attempts: number
  readonly plugin_version: string
}

export interface ReplayOrigin {
  readonly replayId: ReplayId
  readonly actor: string
  readonly reason: string | undefined
  /** Takes the place of every job's own payload; undefined: each keeps its own. */
  readonly edited: { readonly payload: Json } | undefined
}

// Copies inside Postgres: payloads need not travel to this process and back. The replay of an edited payload logs the original one
// first and the edit after it, so that the log shows both. The trace of the first request ended with it.
const RECORD_REPLAYS: Statement = {
  name: 'record_replays',
  text: `
    with input as (
      select *
      from unnest(string_to_array($1, E'\\n')::uuid[], string_to_array($2, E'\\n')::uuid[], $3::smallint[], $4::smallint[],
        string_to_array($5, E'\\n')) as r(id, source, priority, max_attempts, plugin_version)
    ), copied as materialized (
      select i.id, j.id as source, coalesce(j.root, j.id) as root, j.kind, j.plugin, j.name, j.payload, i.priority, i.max_attempts,
        j.correlation_id, j.idempotency_key, i.plugin_version, j.meta - 'awaited' - 'traceparent' as meta
      from input i join xcore.jobs j on j.id = i.source
    ), logged as (
      insert into xcore.event_log (stream, type, plugin, data)
      select c.id, e.type, c.plugin, e.data
      from copied c cross join lateral (
        select 1 as nth, 'job.requested' as type, jsonb_build_object(
          'kind', c.kind, 'name', c.name, 'payload', c.payload, 'priority', c.priority, 'max_attempts', c.max_attempts,
          'correlation_id', c.correlation_id, 'causation_id', $6::uuid, 'replay_of', c.source, 'root', c.root, 'replay_id', $6::uuid,
          'plugin_version', c.plugin_version, 'source', 'replay')
          || case when c.idempotency_key is null then '{}' else jsonb_build_object('idempotency_key', c.idempotency_key) end
          || case when c.meta = '{}' then '{}' else jsonb_build_object('meta', c.meta) end as data
        union all
        select 2, 'job.payload_edited', $7::jsonb where $7 is not null
      ) e
      order by c.id, e.nth
    )
    insert into xcore.jobs (id, kind, plugin, name, state, priority, max_attempts, payload, requested_at, run_at,
      correlation_id, causation_id, replay_of, root, replay_id, idempotency_key, plugin_version, meta)
    select id, kind, plugin, name, 'queued', priority, max_attempts, case when $7 is null then payload else $7::jsonb -> 'payload' end,
      date_trunc('milliseconds', now()), date_trunc('milliseconds', now()),
      correlation_id, $6::uuid, source, root, $6::uuid, idempotency_key, plugin_version, meta
    from copied
    returning id::text`,
}

/** Writes log and jobs rows of replays in one round trip. Throws when a source is gone: nothing may be replayed in silence. */
export async function recordReplays(tx: Tx, origin: ReplayOrigin, rows: readonly ReplayRow[]): Promise<void> {
  if (rows.length === 0) return
  const { edited, actor, reason } = origin
  const edit = edited === undefined ? null : JSON.stringify({ ...edited, actor, ...(reason === undefined ? {} : { reason }) })
  const lines = (line: (row: ReplayRow) => string) => rows.map(line).join('\n')
  const written = await tx.query(RECORD_REPLAYS, [
    lines((row) => row.id),
    lines((row) => row.source),
    rows.map((row) => row.priority),
    rows.map((row) => row.max_attempts),
    lines((row) => row.plugin_version),
    origin.replayId,
    edit,
  ])
  if (written.length !== rows.length) throw new Error(`${rows.length - written.length} jobs to be replayed are gone`)
}

const LOG_REPLAY: Statement = {
  name: 'log_replay',
  text: `insert into xcore.event_log (stream, type, data) values ($1::uuid, $2, $3::jsonb)`,
}

/** Who asked for a replay, held it or ended it, and why. */
export async function logReplay(tx: Tx, id: ReplayId, { type, ...data }: ReplayRequested | ReplayChanged): Promise<void> {
  await tx.query(LOG_REPLAY, [id, type, JSON.stringify(data)])
}
