import { jobId, pluginName } from '../../event-log/ids.ts'
import type { JobId, PluginName } from '../../event-log/ids.ts'
import type { Sql, Statement } from '../../postgres/sql.ts'
import type { QueueDepth, QueueFilter } from '../port.ts'

/**
 * The live jobs as Postgres knows them, for readers: the remembered ones, and those requested since (live-jobs.ts). Costs the number of
 * live jobs, not that of all history.
 */

const LIVE = `
  mark as (select coalesce((select job_id from xcore.queue_marks where name = 'requested'), '00000000-0000-0000-0000-000000000000') as id),
  watched as (
    select j.id, j.plugin, j.run_at from xcore.queue_watch w join xcore.jobs j on j.id = w.job_id, mark
    where j.finished_at is null and w.job_id <= mark.id
  ),
  fresh as (
    select j.id, j.plugin, j.run_at from xcore.jobs j where j.id > (select id from mark) and j.finished_at is null
  )`

// Each half is ordered and cut by an index of its own.
const NEWEST: Statement = {
  name: 'queue_newest_live',
  text: `
    with ${LIVE}
    (select id::text from fresh where ($1::text is null or plugin = $1) and ($2::uuid is null or id < $2::uuid) and id <> all($4::uuid[])
      order by id desc limit $3)
    union all
    (select id::text from watched where ($1::text is null or plugin = $1) and ($2::uuid is null or id < $2::uuid) and id <> all($4::uuid[])
      order by id desc limit $3)
    order by id desc limit $3`,
}

/** Ids of live jobs that are not among `held`, newest first. */
export async function listLive(sql: Sql, filter: Omit<QueueFilter, 'held'>, held: readonly JobId[]): Promise<JobId[]> {
  const rows = await sql.query<{ id: string }>(NEWEST, [filter.plugin ?? null, filter.before ?? null, filter.limit, held])
  return rows.map((row) => jobId(row.id))
}

const COUNTS: Statement = {
  name: 'queue_live_counts',
  text: `
    with ${LIVE}
    select plugin, count(*) filter (where run_at <= now())::int as due, count(*) filter (where run_at > now())::int as delayed,
      min(run_at) filter (where run_at <= now()) as oldest
    from (select * from watched union all select * from fresh) live
    group by plugin`,
}

interface Counts {
  readonly due: number
  readonly delayed: number
  readonly oldest: Date | null
}

/** How many jobs of each plugin are live; those that run count as due. */
export async function liveCounts(sql: Sql): Promise<Map<PluginName, Counts>> {
  const rows = await sql.query<Counts & { plugin: string }>(COUNTS)
  return new Map(rows.map((row) => [pluginName(row.plugin), row]))
}

/** What Redis counts, completed by the jobs that it does not hold at the moment. Pure. */
export function completed(seen: QueueDepth, live: Counts | undefined): QueueDepth {
  if (live === undefined) return seen
  const { oldestWaitingSince: since } = seen
  const waiting = Math.max(seen.waiting, live.due - seen.held)
  const oldest = since === null || (live.oldest !== null && live.oldest < since) ? live.oldest : since
  return {
    ...seen,
    waiting,
    delayed: Math.max(seen.delayed, live.delayed),
    oldestWaitingSince: waiting > 0 ? oldest : since,
  }
}
