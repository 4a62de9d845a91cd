import type { Sql, Statement } from '../postgres/sql.ts'
import { correlationId, jobId, lowestIdAt, pluginName } from './ids.ts'
import type { CorrelationId, JobId } from './ids.ts'
import type { JobError, JobKind, JobMeta, StoredState } from './job.ts'
import type { StoredJob } from './job-state.ts'
import type { Json, JsonObject } from './json.ts'

/** Reads of the jobs read model. */

interface JobRow {
  id: string
  kind: JobKind
  plugin: string
  name: string
  state: StoredState
  priority: number
  attempt: number
  max_attempts: number
  payload: Json
  result: JsonObject | null
  error: JobError | null
  error_fingerprint: string | null
  requested_at: Date
  run_at: Date
  started_at: Date | null
  finished_at: Date | null
  correlation_id: string
  causation_id: string | null
  replay_of: string | null
  root: string | null
  replay_id: string | null
  idempotency_key: string | null
  plugin_version: string
  meta: JobMeta
}

export const JOB_COLUMNS = `id, kind, plugin, name, state, priority, attempt, max_attempts, payload, result, error, error_fingerprint, requested_at, run_at,
  started_at, finished_at, correlation_id, causation_id, replay_of, root, replay_id, idempotency_key, plugin_version, meta`

function fromRow(row: JobRow): StoredJob {
  return {
    id: jobId(row.id),
    kind: row.kind,
    plugin: pluginName(row.plugin),
    name: row.name,
    state: row.state,
    priority: row.priority,
    attempt: row.attempt,
    maxAttempts: row.max_attempts,
    payload: row.payload,
    result: row.result,
    error: row.error,
    errorFingerprint: row.error_fingerprint,
    requestedAt: row.requested_at,
    runAt: row.run_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    correlationId: correlationId(row.correlation_id),
    causationId: row.causation_id,
    replayOf: row.replay_of === null ? null : jobId(row.replay_of),
    root: row.root === null ? null : jobId(row.root),
    replayId: row.replay_id,
    idempotencyKey: row.idempotency_key,
    pluginVersion: row.plugin_version,
    meta: row.meta,
  }
}

const JOBS_BY_ID: Statement = {
  name: 'jobs_by_id',
  text: `select ${JOB_COLUMNS} from xcore.jobs where id = any($1::uuid[])`,
}

export async function findJobs(sql: Sql, ids: readonly JobId[]): Promise<StoredJob[]> {
  if (ids.length === 0) return []
  return (await sql.query<JobRow>(JOBS_BY_ID, [ids])).map(fromRow)
}

const JOBS_OF_CHAIN: Statement = {
  name: 'jobs_of_chain',
  text: `select ${JOB_COLUMNS} from xcore.jobs where root = $1::uuid order by id limit $2`,
}

/** All replays that go back to the job `root`, oldest first. */
export async function jobsOfChain(sql: Sql, root: JobId, limit: number): Promise<StoredJob[]> {
  return (await sql.query<JobRow>(JOBS_OF_CHAIN, [root, limit])).map(fromRow)
}

const JOBS_OF_CORRELATION: Statement = {
  name: 'jobs_of_correlation',
  text: `select ${JOB_COLUMNS} from xcore.jobs where correlation_id = $1::uuid and correlation_id <> id order by id limit $2`,
}

/** What followed from one first request, without a job that was itself that request; oldest first. */
export async function jobsOfCorrelation(sql: Sql, correlation: CorrelationId, limit: number): Promise<StoredJob[]> {
  return (await sql.query<JobRow>(JOBS_OF_CORRELATION, [correlation, limit])).map(fromRow)
}

/** The same from another table of that shape. */
export async function findJobsIn(sql: Sql, table: string, ids: readonly JobId[]): Promise<StoredJob[]> {
  if (ids.length === 0) return []
  return (await sql.run<JobRow>(`select ${JOB_COLUMNS} from ${table} where id = any($1::uuid[])`, [ids])).map(fromRow)
}

const CLOCK_ROOM_MS = 60 * 60 * 1000

export interface JobsQuery {
  readonly plugin?: string
  readonly kind?: JobKind
  readonly name?: string
  readonly states?: readonly StoredState[]
  /** Only jobs that failed at least once and hold their error: lets the planner use the index on error_code. */
  readonly withError?: boolean
  readonly errorCode?: string
  readonly errorFingerprint?: string
  readonly correlationId?: string
  readonly replayId?: string
  readonly since?: Date
  readonly until?: Date
  readonly before?: JobId
  readonly ids?: readonly JobId[]
  readonly limit: number
}

// The conditions are few and fixed; each combination is one prepared statement, named by the letters of its conditions.
export async function queryJobs(sql: Sql, query: JobsQuery): Promise<StoredJob[]> {
  const params: unknown[] = []
  const where: string[] = []
  const shape: string[] = []
  const add = (label: string, condition: (n: string) => string, value: unknown) => {
    if (value === undefined) return
    params.push(value)
    where.push(condition(`$${params.length}`))
    shape.push(label)
  }
  add('p', (n) => `plugin = ${n}`, query.plugin)
  add('k', (n) => `kind = ${n}`, query.kind)
  add('n', (n) => `name = ${n}`, query.name)
  add('s', (n) => `state = any(${n}::text[])`, query.states)
  add('e', (n) => `error_code = ${n}`, query.errorCode)
  add('h', (n) => `error_fingerprint = ${n}`, query.errorFingerprint)
  add('c', (n) => `((correlation_id = ${n}::uuid and correlation_id <> id) or id = ${n}::uuid)`, query.correlationId)
  add('r', (n) => `replay_id = ${n}::uuid`, query.replayId)
  // Ids sort by the time they were made, by the clock of the process that made them: bounds on them, with room for that clock to be
  // wrong, let Postgres read a part of the index instead of all history.
  add('f', (n) => `requested_at >= ${n}`, query.since)
  add('g', (n) => `id >= ${n}::uuid`, query.since === undefined ? undefined : lowestIdAt(query.since.getTime() - CLOCK_ROOM_MS))
  add('u', (n) => `requested_at < ${n}`, query.until)
  add('v', (n) => `id < ${n}::uuid`, query.until === undefined ? undefined : lowestIdAt(query.until.getTime() + CLOCK_ROOM_MS))
  add('b', (n) => `id < ${n}::uuid`, query.before)
  add('i', (n) => `id = any(${n}::uuid[])`, query.ids)
  if (query.withError === true) {
    where.push('error_code is not null')
    shape.push('x')
  }
  params.push(query.limit)
  const condition = where.length === 0 ? '' : `where ${where.join(' and ')}`
  const statement: Statement = {
    name: `list_jobs_${shape.join('')}`,
    text: `select ${JOB_COLUMNS} from xcore.jobs ${condition} order by id desc limit $${params.length}`,
  }
  return (await sql.query<JobRow>(statement, params)).map(fromRow)
}
