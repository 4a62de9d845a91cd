import type { MissedPolicy } from '@xcore/sdk'
import { correlationId, jobId, pluginName } from '../../event-log/index.ts'
import type { Ids, Json } from '../../event-log/index.ts'
import { recordRequests } from '../../event-log/record-requests.ts'
import type { RequestRow } from '../../event-log/record-requests.ts'
import type { Database, Statement, Tx } from '../../postgres/sql.ts'
import type { Queue, QueueEntry } from '../../queue/index.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import { MOST_MADE_UP, plan } from './plan.ts'
import type { Plan } from './plan.ts'
import type { Trigger } from './trigger.ts'

export interface FireOptions {
  readonly database: Database
  readonly queue: Pick<Queue, 'declare' | 'enqueue' | 'committed'>
  readonly metrics: Pick<Metrics, 'jobsSubmittedTotal' | 'eventsAppendedTotal'>
  readonly logger: Logger
  readonly ids: Ids
  /** In [0, 1), for the jitter. */
  readonly random: () => number
}

interface DueRow {
  plugin: string
  id: string
  trigger: Trigger
  args: Json[]
  missed: MissedPolicy
  jitter_seconds: number
  method: string | null
  priority: number
  max_attempts: number
  plugin_version: string
  next_run: Date
  created_at: Date
}

const BATCH = 200
/** A schedule that cannot be planned is left alone for so long. */
const PAUSE_AFTER_ERROR_MS = 60_000

// The lock on the row is what makes a firing happen once: whoever else wants the same row passes it by, and finds it moved on.
const DUE: Statement = {
  name: 'schedules_due',
  text: `
    select plugin, id, trigger, args, missed, jitter_seconds, method, priority, max_attempts, plugin_version, next_run, created_at
    from xcore.schedules
    where not paused and due_at <= $1
    order by due_at
    limit $2
    for update skip locked`,
}
// A date that was added at run time has done its work; one of onLoad stays, so that the next start does not fire it again.
const ADVANCE: Statement = {
  name: 'schedules_advance',
  text: `
    with moved as materialized (
      select * from json_to_recordset($1::json) as r(plugin text, id text, next_run timestamptz, due_at timestamptz, last_run timestamptz)
    ), ended as (
      delete from xcore.schedules s using moved m where s.plugin = m.plugin and s.id = m.id and m.next_run is null and s.at_run_time
    )
    update xcore.schedules s
    set next_run = m.next_run, due_at = m.due_at, last_run = coalesce(m.last_run, s.last_run)
    from moved m
    where s.plugin = m.plugin and s.id = m.id and not (m.next_run is null and s.at_run_time)`,
}

export interface Fired {
  /** Schedules that were due. */
  readonly schedules: number
  readonly jobs: readonly QueueEntry[]
}

/**
 * Fires what is due at `now` (milliseconds since the epoch): jobs, queue and the schedules' next times commit in one transaction, so each
 * firing becomes one job, whoever else tries and wherever this process dies. At most 200 schedules at a time.
 */
export async function fireDue(options: FireOptions, now: number): Promise<Fired> {
  const { database, queue, metrics, logger } = options
  const fired = await database.transaction((tx) => fire(tx))
  await queue.committed(fired.entries)
  for (const { plugin } of fired.requests) metrics.jobsSubmittedTotal.inc({ plugin, kind: 'schedule', source: 'schedule' })
  metrics.eventsAppendedTotal.inc({ result: 'ok' }, fired.requests.length)
  return { schedules: fired.schedules, jobs: fired.entries }

  async function fire(tx: Tx) {
    const due = await tx.query<DueRow>(DUE, [new Date(now), BATCH])
    const requests: RequestRow[] = []
    const entries: QueueEntry[] = []
    const moves = due.map((row) => {
      const planned = planOf(row)
      if (planned === undefined) return moveOf(row, row.next_run.getTime(), now + PAUSE_AFTER_ERROR_MS, null)
      for (const scheduledFor of planned.fire) {
        const request = requestOf(row, scheduledFor, options.ids.uuid())
        requests.push(request)
        entries.push({ jobId: request.id, plugin: request.plugin, priority: row.priority, runAt: null })
      }
      const dueAt = planned.nextRun === null ? null : planned.nextRun + options.random() * row.jitter_seconds * 1000
      return moveOf(row, planned.nextRun, dueAt, planned.latest)
    })
    if (moves.length === 0) return { schedules: 0, requests, entries }
    // This process may know the plugin by its schedules only.
    await queue.declare(entries.map(({ plugin }) => plugin))
    await Promise.all([
      recordRequests(tx, requests),
      entries.length > 0 ? queue.enqueue(tx, entries) : undefined,
      tx.query(ADVANCE, [JSON.stringify(moves)]),
    ])
    return { schedules: due.length, requests, entries }
  }

  /** undefined: it cannot be planned (a timezone that this host does not know): the others go on. */
  function planOf(row: DueRow): Plan | undefined {
    const { trigger, missed } = row
    const names = { plugin: row.plugin, schedule: row.id }
    try {
      const planned = plan({ trigger, missed, anchor: row.created_at.getTime(), nextRun: row.next_run.getTime(), now })
      if (planned.capped)
        logger.warn(names, `more than ${MOST_MADE_UP} firings were missed; only the latest ${MOST_MADE_UP} are made up for`)
      if (planned.fire.length === 0) logger.info({ ...names, missed_at: row.next_run }, 'a missed firing is skipped')
      return planned
    } catch (err) {
      logger.error({ ...names, err }, 'the schedule cannot be planned; it is tried again in a minute')
      return undefined
    }
  }
}

function requestOf(row: DueRow, scheduledFor: number, id: string): RequestRow {
  return {
    id: jobId(id),
    plugin: pluginName(row.plugin),
    data: {
      kind: 'schedule',
      name: row.id,
      payload: { args: row.args, scheduled_for: new Date(scheduledFor).toISOString() },
      priority: row.priority,
      max_attempts: row.max_attempts,
      correlation_id: correlationId(id),
      plugin_version: row.plugin_version,
      source: 'schedule',
      ...(row.method === null ? {} : { meta: { schedule: { method: row.method } } }),
    },
  }
}

function moveOf(row: DueRow, nextRun: number | null, dueAt: number | null, lastRun: number | null) {
  const date = (time: number | null) => (time === null ? null : new Date(time).toISOString())
  return { plugin: row.plugin, id: row.id, next_run: date(nextRun), due_at: date(dueAt), last_run: date(lastRun) }
}
