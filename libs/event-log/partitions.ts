import type { Database, Sql, Statement } from '../postgres/sql.ts'
import { lowestIdAt } from './ids.ts'

/** How many days of partitions are kept ready: the log goes on although nobody looks after it for a week. */
export const DAYS_AHEAD = 7
const DAY_MS = 24 * 60 * 60 * 1000

const ENSURE: Statement = {
  name: 'ensure_log_partitions',
  text: `select xcore.ensure_log_partitions((now() at time zone 'UTC')::date, (now() at time zone 'UTC')::date + $1::int) as made`,
}

/** Makes the partitions of today and the days ahead; returns how many were missing. */
export async function ensurePartitions(sql: Sql): Promise<number> {
  return (await sql.query<{ made: number }>(ENSURE, [DAYS_AHEAD]))[0]?.made ?? 0
}

const PARTITIONS: Statement = {
  name: 'log_partitions',
  text: `
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'xcore.event_log'::regclass order by c.relname`,
}

export interface Partition {
  readonly name: string
  /** The first instant that is not in it any more, milliseconds since the epoch. */
  readonly end: number
}

export async function listPartitions(sql: Sql): Promise<Partition[]> {
  const rows = await sql.query<{ name: string }>(PARTITIONS)
  return rows.flatMap(({ name }) => {
    const day = /^event_log_(\d{4})(\d{2})(\d{2})$/.exec(name)
    return day === null ? [] : [{ name, end: Date.UTC(Number(day[1]), Number(day[2]) - 1, Number(day[3])) + DAY_MS }]
  })
}

const DELETE_FINISHED: Statement = {
  name: 'delete_finished_jobs',
  text: `
    with old as (
      select id from xcore.jobs where id < $1::uuid and finished_at < $2 order by id limit $3 for update skip locked
    )
    delete from xcore.jobs j using old where j.id = old.id returning 1 as deleted`,
}

const DELETE_KEYS: Statement = {
  name: 'delete_idempotency_keys',
  text: `delete from xcore.idempotency_keys where created_at < $1 returning 1 as deleted`,
}

const OLDEST_KEPT: Statement = {
  name: 'oldest_kept_job',
  text: `select min(requested_at) as oldest from xcore.jobs where id < $1::uuid`,
}

const BATCH = 5_000

export interface Retired {
  readonly jobs: number
  readonly partitions: readonly string[]
}

/** The start of the UTC day `days` days before `now`: what finished before it is past retention. */
export function retentionCutoff(now: number, days: number): Date {
  return new Date(Math.floor(now / DAY_MS) * DAY_MS - days * DAY_MS)
}

/**
 * Removes what finished before `cutoff`: the rows of the read model in batches, the log by dropping whole days. A day stays as long as a
 * job that was requested on it or before is kept (it has not finished, or finished later), so that no kept job loses its history.
 */
export async function retire(database: Database, cutoff: Date, signal?: AbortSignal): Promise<Retired> {
  // A job may be requested long before it finishes; its id is as old as its request.
  const bound = lowestIdAt(cutoff.getTime())
  let jobs = 0
  for (;;) {
    signal?.throwIfAborted()
    const deleted = (await database.query(DELETE_FINISHED, [bound, cutoff, BATCH])).length
    jobs += deleted
    if (deleted < BATCH) break
  }
  await database.query(DELETE_KEYS, [cutoff])
  const [row] = await database.query<{ oldest: Date | null }>(OLDEST_KEPT, [bound])
  const keepFrom = Math.min(cutoff.getTime(), row?.oldest?.getTime() ?? Infinity)
  const partitions: string[] = []
  for (const partition of await listPartitions(database)) {
    if (partition.end > keepFrom) continue
    signal?.throwIfAborted()
    // Names come from the catalogue and match a fixed pattern. Detached first: the drop then locks nobody out of the log.
    await database.run(`alter table xcore.event_log detach partition xcore.${partition.name} concurrently`)
    await database.run(`drop table xcore.${partition.name}`)
    partitions.push(partition.name)
  }
  return { jobs, partitions }
}
