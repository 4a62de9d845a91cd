import type { Database, Sql, Statement } from '../../postgres/sql.ts'
import type { PluginSwitch } from '../port.ts'

export const PLUGIN_COMMANDS = ['load', 'reload', 'unload', 'pause', 'resume'] as const
export type PluginCommand = (typeof PLUGIN_COMMANDS)[number]

export interface ProcessRow {
  readonly id: string
  /** `standalone`, `api` or `worker`. */
  readonly role: string
  /** `host/pid`. */
  readonly name: string
}

export interface CommandRow {
  readonly id: string
  readonly plugin: string
  readonly command: PluginCommand
}

export interface ResultRow {
  readonly process: string
  /** The plugin's, afterwards. */
  readonly state: string
  readonly version: string | null
  readonly error: { readonly code: string; readonly message: string } | null
}

/** Seconds after which a process that was not seen is taken for gone. */
const GONE_SECONDS = 15

const SEEN: Statement = {
  name: 'plugin_process_seen',
  text: `
    insert into xcore.plugin_processes (id, role, name) values ($1::uuid, $2, $3)
    on conflict (id) do update set seen_at = clock_timestamp()`,
}
const FORGET: Statement = {
  name: 'plugin_process_forget',
  text: `delete from xcore.plugin_processes where id = $1::uuid or seen_at < now() - interval '10 minutes'`,
}
const LIVE: Statement = {
  name: 'plugin_processes_live',
  text: `
    select id::text, role, name from xcore.plugin_processes
    where seen_at > clock_timestamp() - make_interval(secs => ${GONE_SECONDS}) order by started_at, id`,
}
const SWITCHES: Statement = { name: 'plugin_switches', text: `select plugin, unloaded, paused from xcore.plugin_switches` }
const SWITCH: Statement = {
  name: 'plugin_switch',
  text: `
    insert into xcore.plugin_switches (plugin, unloaded, paused) values ($1, coalesce($2, false), coalesce($3, false))
    on conflict (plugin) do update set unloaded = coalesce($2, plugin_switches.unloaded), paused = coalesce($3, plugin_switches.paused),
      changed_at = now()`,
}
// One at a time, so that every process meets the commands in one order.
const LOCK: Statement = { name: 'plugin_commands_lock', text: `select pg_advisory_xact_lock(hashtextextended('xcore.plugin_commands', 0))` }
const COMMAND: Statement = {
  name: 'plugin_command',
  text: `insert into xcore.plugin_commands (id, plugin, command) values ($1::uuid, $2, $3)`,
}
const PRUNE: Statement = {
  name: 'plugin_commands_prune',
  text: `delete from xcore.plugin_commands where requested_at < now() - interval '1 day'`,
}
const PENDING: Statement = {
  name: 'plugin_commands_pending',
  text: `
    select c.id::text, c.plugin, c.command from xcore.plugin_commands c join xcore.plugin_processes p on p.id = $1::uuid
    where c.requested_at > p.started_at
      and not exists (select from xcore.plugin_command_results r where r.command = c.id and r.process = p.id)
    order by c.requested_at, c.id`,
}
const RESULT: Statement = {
  name: 'plugin_command_result',
  text: `
    insert into xcore.plugin_command_results (command, process, state, version, error)
    select $1::uuid, $2::uuid, $3, $4, $5::jsonb where exists (select from xcore.plugin_commands where id = $1::uuid)
    on conflict do nothing`,
}
const RESULTS: Statement = {
  name: 'plugin_command_results',
  text: `select process::text, state, version, error from xcore.plugin_command_results where command = $1::uuid`,
}

/** Says that the process is there. */
export async function processSeen(sql: Sql, { id, role, name }: ProcessRow): Promise<void> {
  await sql.query(SEEN, [id, role, name])
}

/** Takes the process off, and those that ended without a word. */
export async function forgetProcess(sql: Sql, id: string): Promise<void> {
  await sql.query(FORGET, [id])
}

export function liveProcesses(sql: Sql): Promise<ProcessRow[]> {
  return sql.query<ProcessRow>(LIVE)
}

export function readSwitches(sql: Sql): Promise<PluginSwitch[]> {
  return sql.query<PluginSwitch>(SWITCHES)
}

/** Keeps what the command decides for the next start, and asks every process to do it now. */
export function writeCommand(database: Database, { id, plugin, command }: CommandRow): Promise<void> {
  return database.transaction(async (tx) => {
    await tx.query(LOCK)
    const unloaded = command === 'unload' ? true : command === 'load' ? false : null
    const paused = command === 'pause' ? true : command === 'resume' ? false : null
    if (unloaded !== null || paused !== null) await tx.query(SWITCH, [plugin, unloaded, paused])
    await tx.query(PRUNE)
    await tx.query(COMMAND, [id, plugin, command])
  })
}

/** What this process was asked for since it started and has not answered, in order. */
export function pendingCommands(sql: Sql, process: string): Promise<CommandRow[]> {
  return sql.query<CommandRow>(PENDING, [process])
}

export async function writeResult(sql: Sql, command: string, { process, state, version, error }: ResultRow): Promise<void> {
  await sql.query(RESULT, [command, process, state, version, error === null ? null : JSON.stringify(error)])
}

export function readResults(sql: Sql, command: string): Promise<ResultRow[]> {
  return sql.query<ResultRow>(RESULTS, [command])
}
