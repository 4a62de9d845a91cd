import type { Database, Sql } from '../../postgres/sql.ts'
import { lowestIdAt } from '../../event-log/index.ts'
import { normaliseMessage } from './normalise.ts'

/** Which failures are grouped. Times are those of the failure. */
export interface FailureFilter {
  readonly plugin?: string
  readonly name?: string
  readonly errorCode?: string
  readonly since?: Date
  readonly until?: Date
  /** Groups, 1–200. Default 50. */
  readonly limit?: number
}

/** Failed and dead jobs that failed alike. */
export interface FailureGroup {
  readonly fingerprint: string
  readonly plugin: string
  readonly name: string
  readonly code: string
  /** Without ids, numbers and addresses. */
  readonly message: string
  readonly count: number
  readonly firstSeen: Date
  readonly lastSeen: Date
  /** The latest. */
  readonly sampleJobId: string
}

interface GroupRow {
  fingerprint: string
  plugin: string
  name: string
  code: string
  count: number
  first_seen: Date
  last_seen: Date
  sample: string
  message: string | null
}

const CLOCK_ROOM_MS = 60 * 60 * 1000

/** The groups with the most recent failures, most recent first. */
export async function failureGroups(sql: Sql | Database, filter: FailureFilter): Promise<FailureGroup[]> {
  const params: unknown[] = []
  const where = [`error_fingerprint is not null`, `state in ('failed', 'dead')`]
  const add = (condition: (n: string) => string, value: unknown) => {
    if (value === undefined) return
    params.push(value)
    where.push(condition(`$${params.length}`))
  }
  add((n) => `plugin = ${n}`, filter.plugin)
  add((n) => `name = ${n}`, filter.name)
  add((n) => `error_code = ${n}`, filter.errorCode)
  add((n) => `finished_at >= ${n}`, filter.since)
  add((n) => `finished_at < ${n}`, filter.until)
  // What failed before had been requested before.
  add((n) => `id < ${n}::uuid`, filter.until === undefined ? undefined : lowestIdAt(filter.until.getTime() + CLOCK_ROOM_MS))
  params.push(Math.min(filter.limit ?? 50, 200))
  const rows = await sql.run<GroupRow>(
    `select g.*, j.error ->> 'message' as message
    from (
      select error_fingerprint as fingerprint, min(plugin) as plugin, min(name) as name, min(error_code) as code, count(*)::int as count,
        min(finished_at) as first_seen, max(finished_at) as last_seen, (max(id::text))::uuid as sample
      from xcore.jobs where ${where.join(' and ')}
      group by error_fingerprint order by max(finished_at) desc limit $${params.length}
    ) g join xcore.jobs j on j.id = g.sample
    order by g.last_seen desc, g.fingerprint`,
    params,
  )
  return rows.map((row) => ({
    fingerprint: row.fingerprint,
    plugin: row.plugin,
    name: row.name,
    code: row.code,
    message: normaliseMessage(row.message ?? ''),
    count: row.count,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
    sampleJobId: row.sample,
  }))
}
