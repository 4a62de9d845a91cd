import { XCoreError } from '../errors/index.ts'
import type { Database, Sql, Statement, Tx } from '../postgres/sql.ts'
import type { JobId } from './ids.ts'
import { evolve } from './job-state.ts'
import type { StoredJob } from './job-state.ts'
import { JOB_COLUMNS, findJobsIn } from './jobs-table.ts'
import { LOG_START, checkpointOf, isJobStream, readLog } from './read-log.ts'
import type { Checkpoint } from './read-log.ts'

/** What a rebuild found. All differences 0: the live table was equal to the log. */
export interface RebuildReport {
  readonly events: number
  readonly jobs: number
  /** Log rows of jobs whose request is past retention; they are left out. */
  readonly orphans: number
  /** In the log but not in the table. */
  readonly missing: number
  /** In both, but not equal. */
  readonly different: number
  /** In the table but not in the log. */
  readonly surplus: number
}

export interface RebuildOptions {
  /** Jobs that finished before it are past retention. */
  readonly cutoff: Date
  /** Default true. False: only compares. */
  readonly apply?: boolean
  readonly onProgress?: (events: number) => void
}

const PAGE = 5_000
const SHADOW = 'xcore.jobs_rebuild'
const COLUMNS = JOB_COLUMNS.split(',').map((column) => column.trim())

/**
 * Folds the whole log into a shadow of the `jobs` table, then, with writers held off for a moment, catches up and makes the live table
 * equal to it. Runs beside a live system. Throws `bad_request` when another rebuild is running.
 */
export async function rebuild(database: Database, options: RebuildOptions): Promise<RebuildReport> {
  return database.transaction(async (guard) => {
    const [lock] = await guard.run<{ won: boolean }>(`select pg_try_advisory_xact_lock(hashtextextended('xcore.rebuild', 0)) as won`)
    if (lock?.won !== true) throw new XCoreError('bad_request', 'Another rebuild is running on this database. Wait for it to end.')
    // The guard only holds the lock while the work goes on in other transactions.
    await guard.run('set local idle_in_transaction_session_timeout = 0')
    await database.run(`drop table if exists ${SHADOW}`)
    await database.run(`create unlogged table ${SHADOW} (like xcore.jobs including defaults, primary key (id))`)
    try {
      return await fill(database, options)
    } finally {
      await database.run(`drop table if exists ${SHADOW}`)
    }
  })
}

async function fill(database: Database, options: RebuildOptions): Promise<RebuildReport> {
  const progress = { events: 0, orphans: 0, checkpoint: LOG_START }
  while (await foldPage(database, progress, false)) options.onProgress?.(progress.events)
  return database.transaction(async (tx) => {
    await tx.run('set local statement_timeout = 0')
    await tx.run('lock table xcore.jobs in share row exclusive mode')
    while (await foldPage(tx, progress, true)) options.onProgress?.(progress.events)
    await tx.run(`delete from ${SHADOW} where finished_at < $1`, [options.cutoff])
    const differences = await compare(tx)
    if (options.apply !== false) await apply(tx)
    return { events: progress.events, orphans: progress.orphans, ...differences }
  })
}

/** Folds the next page of the log into the shadow; false when there was none. */
async function foldPage(sql: Sql, progress: { events: number; orphans: number; checkpoint: Checkpoint }, toEnd: boolean): Promise<boolean> {
  const page = await readLog(sql, progress.checkpoint, PAGE, toEnd)
  const last = page.at(-1)
  if (last === undefined) return false
  const facts = page.filter(isJobStream)
  const known = await findJobsIn(sql, SHADOW, [...new Set(facts.map((fact) => fact.stream))])
  const jobs = new Map<JobId, StoredJob>(known.map((job) => [job.id, job]))
  for (const { stream, plugin, recordedAt, event } of facts) {
    const job = jobs.get(stream)
    if (plugin === null || (job === undefined && event.type !== 'job.requested')) progress.orphans++
    else jobs.set(stream, evolve(job, { stream, plugin, recordedAt, event }))
  }
  await save(sql, [...jobs.values()])
  progress.events += page.length
  progress.checkpoint = checkpointOf(last)
  return true
}

const SAVE: Statement = {
  name: 'rebuild_save',
  text: `
    insert into ${SHADOW} (${COLUMNS.join(', ')}, error_code)
    select ${COLUMNS.map((column) => (column === 'payload' ? `r.payload -> 'value'` : `r.${column}`)).join(', ')}, r.error ->> 'code'
    from json_populate_recordset(null::${SHADOW}, $1::json) r
    on conflict (id) do update set ${[...COLUMNS.slice(1), 'error_code'].map((column) => `${column} = excluded.${column}`).join(', ')}`,
}

async function save(sql: Sql, jobs: readonly StoredJob[]): Promise<void> {
  if (jobs.length > 0) await sql.query(SAVE, [JSON.stringify(jobs.map(toRow))])
}

function toRow(job: StoredJob) {
  return {
    id: job.id,
    kind: job.kind,
    plugin: job.plugin,
    name: job.name,
    state: job.state,
    priority: job.priority,
    attempt: job.attempt,
    max_attempts: job.maxAttempts,
    // wrapped, because a JSON null would become an SQL one
    payload: { value: job.payload },
    result: job.result,
    error: job.error,
    error_fingerprint: job.errorFingerprint,
    requested_at: job.requestedAt,
    run_at: job.runAt,
    started_at: job.startedAt,
    finished_at: job.finishedAt,
    correlation_id: job.correlationId,
    causation_id: job.causationId,
    replay_of: job.replayOf,
    root: job.root,
    replay_id: job.replayId,
    idempotency_key: job.idempotencyKey,
    plugin_version: job.pluginVersion,
    meta: job.meta,
  }
}

const ALL = [...COLUMNS, 'error_code']
const rowOf = (alias: string) => `(${ALL.map((column) => `${alias}.${column}`).join(', ')})`

async function compare(tx: Tx): Promise<Pick<RebuildReport, 'jobs' | 'missing' | 'different' | 'surplus'>> {
  const [row] = await tx.run<{ jobs: number; missing: number; different: number; surplus: number }>(`
    select count(s.id)::int as jobs,
      count(*) filter (where j.id is null)::int as missing,
      count(*) filter (where j.id is not null and s.id is not null and ${rowOf('j')} is distinct from ${rowOf('s')})::int as different,
      count(*) filter (where s.id is null)::int as surplus
    from xcore.jobs j full join ${SHADOW} s on s.id = j.id`)
  return row ?? { jobs: 0, missing: 0, different: 0, surplus: 0 }
}

async function apply(tx: Tx): Promise<void> {
  await tx.run(`delete from xcore.jobs j where not exists (select from ${SHADOW} s where s.id = j.id)`)
  await tx.run(`
    insert into xcore.jobs (${ALL.join(', ')})
    select ${ALL.join(', ')} from ${SHADOW} s
    where not exists (select from xcore.jobs j where j.id = s.id and ${rowOf('j')} is not distinct from ${rowOf('s')})
    on conflict (id) do update set ${ALL.slice(1)
      .map((column) => `${column} = excluded.${column}`)
      .join(', ')}`)
}
