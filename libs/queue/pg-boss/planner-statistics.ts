import type { PluginName } from '../../event-log/ids.ts'
import type { Database, Statement } from '../../postgres/sql.ts'

const UNKNOWN: Statement = {
  name: 'queue_names_without_statistics',
  text: `
    select w.name from unnest($1::text[]) as w(name)
    where not exists (
      select from pg_stats s where s.schemaname = 'pgboss' and s.tablename = 'job_common' and s.attname = 'name'
        and w.name = any(s.most_common_vals::text::text[]))`,
}

const ROWS_A_QUEUE = 200

/**
 * Lets Postgres know that each of these queues may hold many rows, before they do. Every index of pg-boss's job table begins with the
 * queue's name; while the planner has never seen a name it takes it for rare, and deletes a batch of ids by reading the whole queue (measured at
 * 30,000 waiting jobs: 89 instead of 5 µs a job) until autovacuum comes by. So a sample is inserted, analysed and taken back in one transaction:
 * the statistics stay, nobody sees the rows.
 */
export async function teachPlanner(database: Database, plugins: readonly PluginName[]): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.run(`select pg_advisory_xact_lock(hashtextextended('xcore.queue.statistics', 0))`)
    if ((await tx.query(UNKNOWN, [plugins])).length === 0) return
    const rows = await tx.run<{ id: string }>(
      `insert into pgboss.job (name, start_after) select q.name, 'infinity' from pgboss.queue q, generate_series(1, $1) returning id`,
      [ROWS_A_QUEUE],
    )
    await tx.run('analyze pgboss.job_common (name)')
    await tx.run('delete from pgboss.job where id = any($1::uuid[])', [rows.map((row) => row.id)])
  })
}
