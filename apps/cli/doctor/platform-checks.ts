import { listPartitions } from '../../../libs/event-log/partitions.ts'
import type { Sql } from '../../../libs/postgres/sql.ts'
import { fail, ok, warn } from './finding.ts'
import type { Finding } from './finding.ts'

const DAY_MS = 86_400_000

/** Without a partition for today nothing can be accepted. */
export async function checkPartitions(sql: Sql, now: number): Promise<Finding> {
  const partitions = await listPartitions(sql)
  const end = now - (now % DAY_MS) + DAY_MS
  const days = new Set(partitions.map((partition) => partition.end))
  const remedy = 'Any start of XCore makes them; by hand: select xcore.ensure_log_partitions(current_date, current_date + 7);'
  if (!days.has(end)) return fail('log partitions', 'none for today', remedy)
  const missing = [1, 2, 3].filter((ahead) => !days.has(end + ahead * DAY_MS))
  const detail = `${partitions.length} days, ${partitions.filter((partition) => partition.end > end).length} of them ahead`
  return missing.length === 0
    ? ok('log partitions', detail)
    : warn('log partitions', `${detail}; missing: in ${missing.join(', ')} days`, remedy)
}

// A loose scan of the index (plugin, id): as many steps as there are plugins, however many jobs there are.
const PLUGINS_WITH_JOBS = `
  with recursive names as (
    (select plugin from xcore.jobs order by plugin limit 1)
    union all
    select (select j.plugin from xcore.jobs j where j.plugin > n.plugin order by j.plugin limit 1) from names n where n.plugin is not null
  )
  select plugin from names where plugin is not null`
const OPEN_JOBS = `select plugin, count(*)::int as jobs from xcore.jobs where plugin = any($1) and finished_at is null group by plugin order by plugin`

/** Jobs that wait for a plugin that has no folder here. `known`: names of those that have. */
export async function checkOrphanedJobs(sql: Sql, known: readonly string[]): Promise<Finding> {
  const plugins = (await sql.run<{ plugin: string }>(PLUGINS_WITH_JOBS)).map(({ plugin }) => plugin)
  const gone = plugins.filter((plugin) => !known.includes(plugin))
  const orphaned = gone.length === 0 ? [] : await sql.run<{ plugin: string; jobs: number }>(OPEN_JOBS, [gone])
  if (orphaned.length === 0) return ok('orphaned jobs', 'none')
  return warn(
    'orphaned jobs',
    orphaned.map(({ plugin, jobs }) => `${jobs} of ${plugin}`).join(', '),
    'Their plugins are not in this machine’s plugins.dir. Bring them back, or cancel the jobs: xcore jobs list --plugin NAME, xcore jobs cancel ID.',
  )
}

const PROCESSES = `
  select application_name as name, count(distinct (client_addr, client_port))::int as connections from pg_stat_activity
  where datname = current_database() and application_name in ('xcore worker', 'xcore standalone', 'xcore api') group by 1 order by 1`
const OLDEST_DUE = `
  select count(*)::int as jobs, extract(epoch from now() - min(run_at))::int as seconds from (
    select run_at from xcore.jobs where finished_at is null and run_at < now() - interval '60 seconds' limit 1000
  ) as due`

/** Work that is due, and nobody there to do it: each process keeps connections under its own name. */
export async function checkWorkers(sql: Sql): Promise<Finding> {
  const processes = await sql.run<{ name: string; connections: number }>(PROCESSES)
  const shown = processes.map(({ name, connections }) => `${name} (${connections} connections)`).join(', ')
  if (processes.some(({ name }) => name !== 'xcore api')) return ok('workers', shown)
  const [due] = await sql.run<{ jobs: number; seconds: number | null }>(OLDEST_DUE)
  if (due === undefined || due.jobs === 0) return ok('workers', shown === '' ? 'none is connected, and nothing waits' : shown)
  return warn(
    'workers',
    `none is connected, and ${due.jobs === 1000 ? '1000 or more' : due.jobs} jobs are due, the oldest for ${due.seconds ?? 0} s`,
    'Start `xcore worker` or `xcore start`; if one should be running, its log tells why it ended.',
  )
}
