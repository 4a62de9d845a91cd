import { jobId, pluginName } from '../../event-log/ids.ts'
import type { JobId, PluginName } from '../../event-log/ids.ts'
import type { Sql, Statement, Tx } from '../../postgres/sql.ts'
import type { QueueDepth, QueueEntry, QueueFilter } from '../port.ts'

/**
 * Reads of pg-boss's job table that its API has no batch form for. A settled job is deleted, so the table holds live rows only.
 * States there: created and retry wait, active is held.
 */

const HELD: Statement = {
  name: 'queue_held',
  text: `
    select j.id, j.started_on from unnest($1::text[], $2::uuid[]) as w(name, id)
    join pgboss.job j on j.name = w.name and j.id = w.id
    where j.state = 'active'`,
}

export async function heldRows(sql: Sql, entries: readonly Pick<QueueEntry, 'jobId' | 'plugin'>[]): Promise<Map<JobId, Date>> {
  if (entries.length === 0) return new Map()
  const rows = await sql.query<{ id: string; started_on: Date }>(HELD, [entries.map((e) => e.plugin), entries.map((e) => e.jobId)])
  return new Map(rows.map((row) => [jobId(row.id), row.started_on]))
}

const ALONE: Statement = {
  name: 'queue_claim_alone',
  text: `select pg_advisory_xact_lock(hashtextextended('xcore.queue.claim ' || $1, 0))`,
}
const HELD_COUNT: Statement = {
  name: 'queue_held_count',
  text: `select count(*)::int as held from pgboss.job where name = $1 and state = 'active'`,
}

/** How many jobs of a plugin are held; from here to the end of `tx` nobody else asks the same, so nobody claims by this number. */
export async function heldAlone(tx: Tx, plugin: PluginName): Promise<number> {
  // The second sees what was committed while the first waited.
  const [, rows] = await Promise.all([tx.query(ALONE, [plugin]), tx.query<{ held: number }>(HELD_COUNT, [plugin])])
  return rows[0]?.held ?? 0
}

const LIST: Statement = {
  name: 'queue_list',
  text: `
    select id from pgboss.job
    where ($1::text is null or name = $1) and (state = 'active') = $2 and state <= 'active' and ($3::uuid is null or id < $3)
    order by id desc limit $4`,
}

export async function listRows(sql: Sql, filter: QueueFilter): Promise<JobId[]> {
  const rows = await sql.query<{ id: string }>(LIST, [filter.plugin ?? null, filter.held, filter.before ?? null, filter.limit])
  return rows.map((row) => jobId(row.id))
}

const DEPTHS: Statement = {
  name: 'queue_depths',
  text: `
    select name,
      count(*) filter (where state < 'active' and start_after <= now())::int as waiting,
      count(*) filter (where state < 'active' and start_after > now())::int as delayed,
      count(*) filter (where state = 'active')::int as held,
      min(start_after) filter (where state < 'active' and start_after <= now()) as oldest
    from pgboss.job group by name`,
}

export async function depthRows(sql: Sql): Promise<QueueDepth[]> {
  const rows = await sql.query<{ name: string; waiting: number; delayed: number; held: number; oldest: Date | null }>(DEPTHS)
  return rows.map((row) => ({
    plugin: pluginName(row.name),
    waiting: row.waiting,
    delayed: row.delayed,
    held: row.held,
    oldestWaitingSince: row.oldest,
  }))
}

// One index probe a queue: the fetch index is partial on waiting rows.
const DUE: Statement = {
  name: 'queue_due',
  text: `
    select w.name from unnest($1::text[]) as w(name)
    where exists (select from pgboss.job j where j.name = w.name and j.state < 'active' and not j.blocked and j.start_after <= now())`,
}

/** Which of these plugins have jobs that are due and not held. */
export async function dueRows(sql: Sql, plugins: readonly PluginName[]): Promise<PluginName[]> {
  return (await sql.query<{ name: string }>(DUE, [plugins])).map((row) => pluginName(row.name))
}
