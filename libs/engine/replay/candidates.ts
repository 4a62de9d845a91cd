import { jobId, lowestIdAt, pluginName } from '../../event-log/index.ts'
import type { JobKind, Json } from '../../event-log/index.ts'
import type { Sql } from '../../postgres/sql.ts'
import type { Candidate } from './classify.ts'
import type { FrozenSelection } from './filter.ts'

/** Reads of the finished jobs that a filter matches. All go by id, which is the order in which the jobs were requested. */
export type JobSelection = Extract<FrozenSelection, { kind: 'jobs' }>

/** A page holds payloads of at most about this many bytes, and one job at least. */
const PAGE_BYTES = 8 * 1024 * 1024
/** By how much the clock of a process that made an id may be wrong. */
const CLOCK_ROOM_MS = 60 * 60 * 1000

interface Conditions {
  readonly where: string
  readonly params: unknown[]
}

function conditionsOf({ filter, at }: JobSelection): Conditions {
  const params: unknown[] = []
  const where: string[] = []
  const add = (condition: (n: string) => string, value: unknown) => {
    if (value === undefined) return
    params.push(value)
    where.push(condition(`$${params.length}`))
  }
  add((n) => `j.state = any(${n}::text[])`, filter.states)
  add((n) => `j.finished_at <= ${n}`, at)
  add((n) => `j.plugin = ${n}`, filter.plugin)
  add((n) => `j.kind = ${n}`, filter.kind)
  add((n) => `j.name = ${n}`, filter.name)
  add((n) => `j.error_code = ${n}`, filter.errorCode)
  add((n) => `j.error_fingerprint = ${n}`, filter.errorFingerprint)
  add((n) => `j.plugin_version = ${n}`, filter.pluginVersion)
  add((n) => `((j.correlation_id = ${n}::uuid and j.correlation_id <> j.id) or j.id = ${n}::uuid)`, filter.correlationId)
  add((n) => `j.replay_id = ${n}::uuid`, filter.replayId)
  add((n) => `j.requested_at >= ${n}`, filter.since)
  add((n) => `j.id >= ${n}::uuid`, filter.since === undefined ? undefined : lowestIdAt(filter.since.getTime() - CLOCK_ROOM_MS))
  add((n) => `j.requested_at < ${n}`, filter.until)
  for (const { path, equals } of filter.payload ?? []) {
    params.push(path, JSON.stringify(equals))
    where.push(`j.payload #> $${params.length - 1}::text[] = $${params.length}::jsonb`)
  }
  // Lets the planner use the partial indexes on errors.
  if (filter.states?.every((state) => state === 'failed' || state === 'dead') === true) where.push('j.error_code is not null')
  return { where: where.join(' and '), params }
}

interface CandidateRow {
  id: string
  kind: JobKind
  plugin: string
  name: string
  priority: number
  error_code: string | null
  subscription: string | null
  payload: { value: Json } | null
  later: Candidate['later']
}

/** What became of later replays of the same first job. */
const LATER = `
  select case when bool_or(r.state = 'succeeded') then 'succeeded' when count(*) > 0 then 'other' else 'none' end as later
  from xcore.jobs r where r.root = coalesce(p.root, p.id) and r.id > p.id and r.state <> 'cancelled'`

const CANDIDATE_COLUMNS = `p.id::text, p.kind, p.plugin, p.name, p.priority, p.error_code, p.meta -> 'event' ->> 'subscription' as subscription,
  case when p.kind = 'action' then jsonb_build_object('value', p.payload) end as payload, l.later`

/** The next candidates after the job `after`, oldest first; fewer than `limit` when payloads are large, none at the end. */
export async function candidatesAfter(sql: Sql, selection: JobSelection, after: string | null, limit: number): Promise<Candidate[]> {
  const { where, params } = conditionsOf(selection)
  const cursor = `$${params.length + 1}`
  const rows = await sql.run<CandidateRow>(
    `with page as materialized (
      select j.* from xcore.jobs j where ${where} and (${cursor}::uuid is null or j.id > ${cursor}::uuid)
      order by j.id limit $${params.length + 2}
    ), sized as (
      select page.*, sum(pg_column_size(payload)) over (order by id) - pg_column_size(payload) as before from page
    )
    select ${CANDIDATE_COLUMNS} from sized p cross join lateral (${LATER}) l where p.before < ${PAGE_BYTES} order by p.id`,
    [...params, after, limit],
  )
  return rows.map(toCandidate)
}

/** One job as a candidate; undefined: there is none of this id. */
export async function candidateOf(sql: Sql, id: string): Promise<Candidate | undefined> {
  const [row] = await sql.run<CandidateRow>(
    `select ${CANDIDATE_COLUMNS} from xcore.jobs p cross join lateral (${LATER}) l where p.id = $1::uuid`,
    [id],
  )
  return row === undefined ? undefined : toCandidate(row)
}

function toCandidate(row: CandidateRow): Candidate {
  return {
    id: jobId(row.id),
    kind: row.kind,
    plugin: pluginName(row.plugin),
    name: row.name,
    priority: row.priority,
    errorCode: row.error_code,
    subscription: row.subscription,
    payload: row.payload === null ? null : row.payload.value,
    later: row.later,
  }
}

export async function countJobs(sql: Sql, selection: JobSelection): Promise<number> {
  const { where, params } = conditionsOf(selection)
  const [row] = await sql.run<{ count: number }>(`select count(*)::int as count from xcore.jobs j where ${where}`, params)
  return row?.count ?? 0
}
