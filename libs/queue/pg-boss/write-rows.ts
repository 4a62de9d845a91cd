import type { Sql, Statement } from '../../postgres/sql.ts'
import type { QueueEntry } from '../port.ts'

/**
 * Puts rows into pg-boss's job table and takes them out, for any number of queues in one statement that is issued at once. Its own `insert`
 * and `deleteJob` take one queue a call, read their queue cache first (so a transaction can't leave in one packet) and cost a third more.
 * The columns are those that its `insert` writes; queue.test.ts holds the two rows equal, so a new pg-boss that writes others is noticed.
 */

/** pg-boss removes what waits longer than this; ours may wait as long as it takes. */
export const KEEP_SECONDS = 60 * 60 * 24 * 365 * 20
/** pg-boss's bound on one attempt; ours are shorter. */
export const EXPIRE_SECONDS = 60 * 60 * 24
export const DELETE_AFTER_SECONDS = 60
/** How often a holder may be lost. Each loss is an attempt of ours, of which there are at most 100. */
export const RETRY_LIMIT = 10_000

const INSERT: Statement = {
  name: 'queue_insert',
  text: `
    insert into pgboss.job_common (id, name, priority, start_after, created_on, keep_until, heartbeat_seconds,
      expire_seconds, deletion_seconds, retry_limit, retry_delay, retry_backoff, policy)
    select id, name, priority, start_after, now(), start_after + ${KEEP_SECONDS} * interval '1 second', $5::int,
      ${EXPIRE_SECONDS}, ${DELETE_AFTER_SECONDS}, ${RETRY_LIMIT}, 0, false, 'standard'
    from (
      select id, name, priority, coalesce(nullif(run_at, '')::timestamptz, now()) as start_after
      from unnest(string_to_array($1, E'\\n')::uuid[], string_to_array($2, E'\\n'), $3::int[], string_to_array($4, E'\\n'))
        as r(id, name, priority, run_at)
    ) r
    on conflict do nothing`,
}

export async function insertRows(sql: Sql, entries: readonly QueueEntry[], heartbeatSeconds: number): Promise<void> {
  if (entries.length === 0) return
  await sql.query(INSERT, [
    entries.map((entry) => entry.jobId).join('\n'),
    entries.map((entry) => entry.plugin).join('\n'),
    entries.map((entry) => entry.priority),
    entries.map((entry) => entry.runAt?.toISOString() ?? '').join('\n'),
    heartbeatSeconds,
  ])
}

const DELETE: Statement = {
  name: 'queue_delete',
  text: `
    delete from pgboss.job_common j
    using unnest(string_to_array($1, E'\\n')::uuid[], string_to_array($2, E'\\n')) as r(id, name)
    where j.name = r.name and j.id = r.id`,
}

export async function deleteRows(sql: Sql, entries: readonly Pick<QueueEntry, 'jobId' | 'plugin'>[]): Promise<void> {
  if (entries.length === 0) return
  await sql.query(DELETE, [entries.map((entry) => entry.jobId).join('\n'), entries.map((entry) => entry.plugin).join('\n')])
}
