import { jobId, pluginName } from '../../event-log/ids.ts'
import type { JobId, PluginName } from '../../event-log/ids.ts'
import type { Database, Sql, Statement } from '../../postgres/sql.ts'
import type { Pointer } from './plugin-queue.ts'

/**
 * The live jobs as Postgres knows them, found without an index on them (migrations/0002): new requests are looked through once, and
 * those that have not finished by then are kept in a list of their own.
 */
export interface LiveJob extends Pointer {
  readonly plugin: PluginName
}

interface Row {
  id: string
  plugin: string
  priority: number
  attempt: number
  run_at: Date
  live: boolean
}

const NO_ID = '00000000-0000-0000-0000-000000000000'
const PAGE = 20_000

const MARK: Statement = { name: 'queue_mark', text: `select job_id::text as id from xcore.queue_marks where name = $1` }

// The last row is answered although it has finished: the next page begins after it.
const REQUESTED: Statement = {
  name: 'queue_requested',
  text: `
    with page as materialized (
      select id, plugin, priority, attempt, run_at, finished_at is null as live from xcore.jobs
      where id > $1::uuid and id < $2::uuid order by id limit $3
    )
    select id::text, plugin, priority, attempt, run_at, live from page
    where live or id = (select id from page order by id desc limit 1)
    order by id`,
}

const WATCH: Statement = {
  name: 'queue_watch_add',
  text: `insert into xcore.queue_watch (job_id, plugin) select * from unnest($1::uuid[], $2::text[]) on conflict do nothing`,
}
const MOVE_MARK: Statement = {
  name: 'queue_mark_move',
  text: `insert into xcore.queue_marks (name, job_id) values ($1, $2::uuid) on conflict (name) do update set job_id = excluded.job_id`,
}

/**
 * Looks through what was requested up to `before` since the last time that `pass` did; `check` gets the live jobs of each page, oldest
 * first, before they are remembered.
 */
export async function scanRequested(
  database: Database,
  pass: string,
  before: string,
  check: (jobs: readonly LiveJob[]) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  let from = (await database.query<{ id: string }>(MARK, [pass]))[0]?.id ?? NO_ID
  while (!signal.aborted) {
    const rows = await database.query<Row>(REQUESTED, [from, before, PAGE])
    const last = rows.at(-1)
    if (last === undefined) return
    const jobs = rows.filter((row) => row.live).map(liveJob)
    await check(jobs)
    await database.transaction(async (tx) => {
      await tx.query(WATCH, [jobs.map((job) => job.jobId), jobs.map((job) => job.plugin)])
      await tx.query(MOVE_MARK, [pass, last.id])
    })
    from = last.id
  }
}

const WATCHED: Statement = {
  name: 'queue_watched',
  text: `
    select w.job_id::text as id, w.plugin, coalesce(j.priority, 0) as priority, coalesce(j.attempt, 0) as attempt, coalesce(j.run_at, now()) as run_at,
      coalesce(j.finished_at is null, false) and j.id is not null as live
    from xcore.queue_watch w left join xcore.jobs j on j.id = w.job_id
    where w.job_id > $1::uuid and ($2::text[] is null or w.plugin = any($2::text[]))
    order by w.job_id limit $3`,
}
const FORGET: Statement = { name: 'queue_watch_remove', text: `delete from xcore.queue_watch where job_id = any($1::uuid[])` }

/** Goes through the remembered jobs, of some plugins or all, oldest first; forgets those that have finished. */
export async function scanWatched(
  database: Database,
  plugins: readonly PluginName[] | null,
  check: (jobs: readonly LiveJob[]) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  let from = NO_ID
  while (!signal.aborted) {
    const rows = await database.query<Row>(WATCHED, [from, plugins, PAGE])
    const last = rows.at(-1)
    if (last === undefined) return
    await check(rows.filter((row) => row.live).map(liveJob))
    const over = rows.filter((row) => !row.live).map((row) => row.id)
    if (over.length > 0) await database.query(FORGET, [over])
    from = last.id
  }
}

const STILL_LIVE: Statement = {
  name: 'queue_still_live',
  text: `select id::text, plugin, priority, attempt, run_at, true as live from xcore.jobs where id = any($1::uuid[]) and finished_at is null order by id`,
}

/** Those that have not finished by now, as they are now. */
export async function stillLive(sql: Sql, ids: readonly JobId[]): Promise<LiveJob[]> {
  return ids.length === 0 ? [] : (await sql.query<Row>(STILL_LIVE, [ids])).map(liveJob)
}

function liveJob(row: Row): LiveJob {
  return {
    jobId: jobId(row.id),
    plugin: pluginName(row.plugin),
    priority: row.priority,
    attempts: row.attempt,
    runAt: row.run_at.getTime(),
  }
}
