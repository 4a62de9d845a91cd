import { messageOf } from '../../../libs/errors/index.ts'
import type { Sql } from '../../../libs/postgres/sql.ts'
import { fail, ok, warn } from './finding.ts'
import type { Finding } from './finding.ts'

const OLDEST_MAJOR = 14
const SKEW_WARN_MS = 1_000
const SKEW_FAIL_MS = 30_000
const LONG_TRANSACTION_SECONDS = 300

export async function checkVersion(sql: Sql): Promise<Finding> {
  const [row] = await sql.run<{ number: number; version: string }>(
    `select current_setting('server_version_num')::int as number, current_setting('server_version') as version`,
  )
  const major = Math.floor((row?.number ?? 0) / 10_000)
  if (major < OLDEST_MAJOR)
    return fail(
      'postgres',
      `version ${row?.version ?? 'unknown'}`,
      `XCore needs PostgreSQL ${OLDEST_MAJOR} or newer; it is developed on 18.`,
    )
  return ok('postgres', `version ${row?.version ?? 'unknown'}`)
}

/** Half of the round trip is taken off, so a slow connection does not look like a wrong clock. */
export async function checkClock(sql: Sql): Promise<Finding> {
  const before = Date.now()
  const [row] = await sql.run<{ now: Date }>('select clock_timestamp() as now')
  const after = Date.now()
  const skew = Math.abs((row?.now.getTime() ?? 0) - (before + after) / 2) - (after - before) / 2
  const detail = skew <= 0 ? 'this machine and the database agree' : `${Math.round(skew)} ms between this machine and the database`
  const remedy = 'Delays, timeouts and job times will be off by that: synchronise both clocks (NTP).'
  if (skew > SKEW_FAIL_MS) return fail('clock', detail, remedy)
  return skew > SKEW_WARN_MS ? warn('clock', detail, remedy) : ok('clock', detail)
}

/** A transaction left open keeps vacuum from cleaning the hot tables, and holds back ordered reads of the log. */
export async function checkLongTransactions(sql: Sql): Promise<Finding> {
  const rows = await sql.run<{ pid: number; application_name: string; seconds: number }>(
    `select pid, application_name, extract(epoch from now() - xact_start)::int as seconds from pg_stat_activity
     where xact_start < now() - make_interval(secs => $1) and datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
     order by xact_start limit 5`,
    [LONG_TRANSACTION_SECONDS],
  )
  if (rows.length === 0) return ok('transactions', `none open for longer than ${LONG_TRANSACTION_SECONDS} s`)
  const list = rows.map((row) => `pid ${row.pid} (${row.application_name || 'unnamed'}) for ${row.seconds} s`).join(', ')
  return warn('transactions', list, 'They keep vacuum from cleaning up: end them, e.g. select pg_terminate_backend(PID).')
}

export function checkMigrations(pending: readonly string[]): Finding {
  if (pending.length === 0) return ok('migrations', 'up to date')
  return warn(
    'migrations',
    `${pending.length} pending: ${pending.join(', ')}`,
    'Run `xcore migrate`; `xcore start`, `api` and `worker` also apply them.',
  )
}

/** Runs a check; what it throws becomes its finding. */
export async function finding(name: string, remedy: string, check: () => Promise<Finding> | Finding): Promise<Finding> {
  try {
    return await check()
  } catch (error) {
    return fail(name, messageOf(error), remedy)
  }
}
