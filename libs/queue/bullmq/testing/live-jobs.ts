import type { PluginName } from '../../../event-log/ids.ts'
import type { Sql } from '../../../postgres/sql.ts'

// Ids that rise with the time of the request, 25 in a millisecond; priorities mixed; every tenth job has finished, every
// hundredth (never one of those) is due in an hour.
const FILL = `
  insert into xcore.jobs (id, kind, plugin, name, state, priority, max_attempts, payload, result, requested_at, run_at, finished_at, correlation_id, plugin_version)
  select id, 'action', $1, 'a', case when over then 'succeeded' when later then 'scheduled' else 'queued' end, n * 37 % 101, 3, '{}',
    case when over then '{}'::jsonb end, now(), case when later then now() + interval '1 hour' else at end, case when over then now() end, id, '1'
  from (
    select n, n % 10 = 0 as over, n % 100 = 1 as later, to_timestamp(ms / 1000.0) as at,
      (substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7' || lpad(to_hex(n % 25), 3, '0') || '-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id
    from (select n, ms, lpad(to_hex(ms), 12, '0') as h from (select n, $2::bigint + n / 25 as ms from generate_series(1, $3::int) n) numbered) timed
  ) made`

/** Puts `count` requests into the jobs table, nine tenths of them live. They were made in the seconds before `until`. */
export async function fillJobs(sql: Sql, plugin: PluginName, count: number, until: number): Promise<void> {
  await sql.run(FILL, [plugin, until - Math.ceil(count / 25) - 10_000, count])
}

const IN_ORDER = `
  select id::text from xcore.jobs where plugin = $1 and finished_at is null and run_at <= now() order by priority desc, id`

/** Those that are due, in the order in which they have to run. */
export async function inOrder(sql: Sql, plugin: PluginName): Promise<string[]> {
  return (await sql.run<{ id: string }>(IN_ORDER, [plugin])).map((row) => row.id)
}
