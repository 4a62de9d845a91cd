import type { MissedPolicy } from '@xcore/sdk'
import { XCoreError } from '../../errors/index.ts'
import { pluginName } from '../../event-log/index.ts'
import type { Json, PluginName } from '../../event-log/index.ts'
import type { Notifications } from '../../postgres/notifications.ts'
import type { Database, Statement, Tx } from '../../postgres/sql.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Schedule, ScheduleRegistry, ScheduleRequest } from './port.ts'
import { describeTrigger, firstRun } from './trigger.ts'
import type { Trigger } from './trigger.ts'

export interface ScheduleRegistryOptions {
  readonly database: Database
  readonly notifications: Pick<Notifications, 'notify'>
  readonly logger: Logger
  readonly clock: { now(): number }
  /** In [0, 1), for the jitter. */
  readonly random: () => number
}

interface ScheduleRow {
  plugin: string
  id: string
  trigger: Trigger
  args: Json[]
  missed: MissedPolicy
  jitter_seconds: number
  method: string | null
  at_run_time: boolean
  priority: number
  max_attempts: number
  plugin_version: string
  paused: boolean
  next_run: Date | null
  last_run: Date | null
}

const EQUAL = `(s.trigger, s.args, s.missed, s.jitter_seconds) is not distinct from
        (excluded.trigger, excluded.args, excluded.missed, excluded.jitter_seconds)`
// A schedule with an equal definition goes on as it is, wherever it stands. A changed one starts anew, if it may be replaced ($2).
// Pausing is an operator's word and survives both. Returns the ids that were accepted.
const SAVE: Statement = {
  name: 'schedules_save',
  text: `
    insert into xcore.schedules as s (plugin, id, trigger, args, missed, jitter_seconds, method, at_run_time, priority, max_attempts,
      plugin_version, next_run, due_at, created_at)
    select plugin, id, trigger, args, missed, jitter_seconds, method, at_run_time, priority, max_attempts, plugin_version, next_run, due_at,
      created_at
    from json_to_recordset($1::json) as r(plugin text, id text, trigger jsonb, args jsonb, missed text, jitter_seconds float8, method text,
      at_run_time boolean, priority smallint, max_attempts smallint, plugin_version text, next_run timestamptz, due_at timestamptz,
      created_at timestamptz)
    order by plugin, id
    on conflict (plugin, id) do update set
      trigger = excluded.trigger, args = excluded.args, missed = excluded.missed, jitter_seconds = excluded.jitter_seconds,
      next_run = case when ${EQUAL} then s.next_run else excluded.next_run end,
      due_at = case when ${EQUAL} then s.due_at else excluded.due_at end,
      created_at = case when ${EQUAL} then s.created_at else excluded.created_at end,
      method = excluded.method,
      at_run_time = s.at_run_time and excluded.at_run_time,
      priority = excluded.priority,
      max_attempts = excluded.max_attempts,
      plugin_version = excluded.plugin_version
    where ${EQUAL} or s.id = any($2::text[])
    returning s.id`,
}
const REMOVE_OTHERS: Statement = {
  name: 'schedules_remove_others',
  text: `delete from xcore.schedules where plugin = $1 and not at_run_time and id <> all($2::text[])`,
}
const REMOVE: Statement = { name: 'schedules_remove', text: `delete from xcore.schedules where plugin = $1 and id = $2 returning id` }
const SET_PAUSED: Statement = {
  name: 'schedules_set_paused',
  text: `update xcore.schedules set paused = $3 where plugin = $1 and id = $2 returning id`,
}
const LIST: Statement = {
  name: 'schedules_list',
  text: `select * from xcore.schedules where $1::text is null or plugin = $1 order by plugin, id`,
}
const FORGET: Statement = { name: 'schedules_forget', text: `delete from xcore.schedules where plugin = $1` }
const RETAIN: Statement = { name: 'schedules_retain', text: `delete from xcore.schedules where plugin <> all($1::text[]) returning plugin` }

/** The registry in Postgres (table `schedules`). Whoever fires is told of each change. */
export function createScheduleRegistry(options: ScheduleRegistryOptions): ScheduleRegistry {
  const { database, notifications, logger, clock, random } = options

  function rowOf(request: ScheduleRequest, atRunTime: boolean) {
    const now = clock.now()
    const next = firstRun(request.trigger, now)
    return {
      plugin: request.plugin,
      id: request.id,
      trigger: request.trigger,
      args: request.args,
      missed: request.missed,
      jitter_seconds: request.jitterSeconds,
      method: request.method,
      at_run_time: atRunTime,
      priority: request.priority,
      max_attempts: request.maxAttempts,
      plugin_version: request.pluginVersion,
      next_run: next === null ? null : new Date(next),
      due_at: next === null ? null : new Date(next + random() * request.jitterSeconds * 1000),
      created_at: new Date(now),
    }
  }

  async function save(tx: Tx, requests: readonly ScheduleRequest[], atRunTime: boolean): Promise<void> {
    if (requests.length === 0) return
    const replaced = requests.filter(({ replaceExisting }) => replaceExisting).map(({ id }) => id)
    const rows = JSON.stringify(requests.map((request) => rowOf(request, atRunTime)))
    const saved = new Set((await tx.query<{ id: string }>(SAVE, [rows, replaced])).map(({ id }) => id))
    const refused = requests.find(({ id }) => !saved.has(id))
    if (refused !== undefined) throw exists(refused)
  }

  /** A hint only: who fires also looks by itself. */
  function tell(): void {
    notifications
      .notify('xcore_schedules', '')
      .catch((err: unknown) => logger.debug({ err }, 'a change of the schedules was not announced'))
  }

  return {
    async replace(plugin, schedules) {
      await database.transaction(async (tx) => {
        await save(tx, schedules, false)
        await tx.query(REMOVE_OTHERS, [plugin, schedules.map(({ id }) => id)])
      })
      if (schedules.length > 0) tell()
    },
    async add(schedule) {
      await database.transaction((tx) => save(tx, [schedule], true))
      tell()
    },
    remove: async (plugin, id) => (await database.query(REMOVE, [plugin, id])).length > 0,
    async setPaused(plugin, id, paused) {
      const found = (await database.query(SET_PAUSED, [plugin, id, paused])).length > 0
      if (found && !paused) tell()
      return found
    },
    list: async (plugin) => (await database.query<ScheduleRow>(LIST, [plugin ?? null])).map(fromRow),
    forget: async (plugin) => void (await database.query(FORGET, [plugin])),
    async retain(known) {
      const dropped = await database.query<{ plugin: string }>(RETAIN, [known])
      return [...new Set(dropped.map((row): PluginName => pluginName(row.plugin)))]
    },
  }
}

/** For every registry: what an `addJob` that meets another definition is told. */
export function exists({ plugin, id, trigger }: ScheduleRequest): XCoreError {
  return new XCoreError(
    'schedule_exists',
    `scheduler.addJob: plugin ${plugin} has a schedule ${JSON.stringify(id)} with another definition already, found ${describeTrigger(trigger)}; ` +
      'add replaceExisting: true to replace it (its times start anew), or give this one another id',
  )
}

function fromRow(row: ScheduleRow): Schedule {
  return {
    plugin: pluginName(row.plugin),
    id: row.id,
    trigger: row.trigger,
    args: row.args,
    missed: row.missed,
    jitterSeconds: row.jitter_seconds,
    method: row.method,
    atRunTime: row.at_run_time,
    priority: row.priority,
    maxAttempts: row.max_attempts,
    pluginVersion: row.plugin_version,
    paused: row.paused,
    nextRun: row.next_run,
    lastRun: row.last_run,
  }
}
