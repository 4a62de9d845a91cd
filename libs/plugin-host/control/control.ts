import { XCoreError, messageOf } from '../../errors/index.ts'
import type { Notifications } from '../../postgres/notifications.ts'
import type { Database } from '../../postgres/sql.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { PluginHost, PluginStatus, PluginSwitch } from '../port.ts'
import {
  forgetProcess,
  liveProcesses,
  pendingCommands,
  processSeen,
  readResults,
  readSwitches,
  writeCommand,
  writeResult,
} from './commands-table.ts'
import type { CommandRow, PluginCommand, ProcessRow, ResultRow } from './commands-table.ts'

/** What one process made of a command. */
export interface ProcessResult {
  /** `host/pid`. */
  readonly process: string
  /** `standalone`, `api` or `worker`. */
  readonly role: string
  /** The plugin's, afterwards; null: the process did not answer in time. */
  readonly state: string | null
  readonly version: string | null
  readonly error: { readonly code: string; readonly message: string } | null
}

/** Loads, reloads, unloads, pauses and resumes plugins in all processes that run plugins. */
export interface PluginControl {
  /** Announces this process; returns what operators decided before, for `loadAll`. */
  start(): Promise<readonly PluginSwitch[]>
  /** From now on does what is asked, in order. To be called once the host has loaded. */
  obey(): void
  /**
   * Asks every process, this one included, and waits for their results. What the command decides holds over restarts.
   * Rejects with XCoreError `not_found`, `plugin_required`, before anything is done.
   */
  run(plugin: string, command: PluginCommand, deadlineMs?: number): Promise<readonly ProcessResult[]>
  stop(): Promise<void>
}

export interface PluginControlOptions {
  readonly database: Database
  readonly notifications: Notifications
  readonly host: PluginHost
  readonly process: ProcessRow
  readonly logger: Logger
  readonly ids: { uuid(): string }
  /** Default 2,000: how often a process looks when no notification came. */
  readonly pollMs?: number
}

const CHANNEL = 'xcore_plugins'
const SEEN_EVERY_MS = 5_000
/** Loading may take 30 s for the import and 30 s for onLoad; nearly all take less than one. */
const DEADLINE_MS = 25_000
const LOOK_EVERY_MS = 250

export function createPluginControl(options: PluginControlOptions): PluginControl {
  const { database, notifications, host, process, logger } = options
  const closers: (() => void)[] = []
  /** Called when some process may have answered. */
  const waiting = new Set<() => void>()
  let obeying = false
  let again = false
  let work: Promise<void> = Promise.resolve()

  function wake(): void {
    for (const look of waiting) look()
    again = true
    if (obeying) return
    obeying = true
    work = obeyAll().finally(() => {
      obeying = false
    })
  }

  async function obeyAll(): Promise<void> {
    while (again) {
      again = false
      try {
        for (const command of await pendingCommands(database, process.id)) await obeyOne(command)
      } catch (err) {
        logger.warn({ err }, 'commands for plugins could not be read or answered; it is tried again')
        return
      }
    }
  }

  async function obeyOne(row: CommandRow): Promise<void> {
    logger.info({ plugin: row.plugin, command: row.command }, `plugin ${row.plugin}: ${row.command}`)
    const result = await resultOf(row)
    await writeResult(database, row.id, result)
    await notifications.notify(CHANNEL, row.id)
  }

  async function resultOf(row: CommandRow): Promise<ResultRow> {
    try {
      const { state, version } = await applied(host, row)
      return { process: process.id, state, version, error: null }
    } catch (thrown) {
      const status = host.status(row.plugin)
      const error = { code: thrown instanceof XCoreError ? thrown.code : 'internal_error', message: messageOf(thrown) }
      return { process: process.id, state: status?.state ?? 'unknown', version: status?.version ?? null, error }
    }
  }

  async function answers(command: string, asked: readonly ProcessRow[], deadlineMs: number): Promise<readonly ResultRow[]> {
    const until = Date.now() + deadlineMs
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<void>()
      // Before the look, so that an answer that comes while it is under way is not missed.
      waiting.add(resolve)
      const timer = setTimeout(resolve, Math.max(1, Math.min(LOOK_EVERY_MS, until - Date.now())))
      try {
        const results = await readResults(database, command)
        if (asked.every(({ id }) => results.some((result) => result.process === id)) || Date.now() >= until) return results
        await promise
      } finally {
        clearTimeout(timer)
        waiting.delete(resolve)
      }
    }
  }

  return {
    async start() {
      await processSeen(database, process)
      const seen = setInterval(() => {
        processSeen(database, process).catch((err: unknown) => logger.debug({ err }, 'this process could not say that it is there'))
      }, SEEN_EVERY_MS)
      closers.push(() => clearInterval(seen))
      return readSwitches(database)
    },

    obey() {
      const poll = setInterval(wake, options.pollMs ?? 2_000)
      closers.push(() => clearInterval(poll), notifications.listen(CHANNEL, wake), notifications.onReconnect(wake))
      wake()
    },

    async run(plugin, command, deadlineMs = DEADLINE_MS) {
      refuse(host, plugin, command)
      const row = { id: options.ids.uuid(), plugin, command }
      await writeCommand(database, row)
      const asked = await liveProcesses(database)
      await notifications.notify(CHANNEL, row.id)
      const results = await answers(row.id, asked, deadlineMs)
      return asked.map(({ id, name, role }): ProcessResult => {
        const result = results.find((each) => each.process === id)
        if (result === undefined) return { process: name, role, state: null, version: null, error: late(name, deadlineMs) }
        return { process: name, role, state: result.state, version: result.version, error: result.error }
      })
    },

    async stop() {
      for (const close of closers.splice(0).reverse()) close()
      again = false
      await work
      await forgetProcess(database, process.id).catch((err: unknown) => logger.debug({ err }, 'this process could not take itself off'))
    },
  }
}

function applied(host: PluginHost, { plugin, command }: CommandRow): Promise<PluginStatus> {
  switch (command) {
    case 'load':
      return host.load(plugin)
    case 'reload':
      return host.reload(plugin)
    case 'unload':
      return host.unload(plugin)
    case 'pause':
      return host.pause(plugin, true)
    case 'resume':
      return host.pause(plugin, false)
  }
}

/** What would fail everywhere is refused before it is kept. */
function refuse(host: PluginHost, plugin: string, command: PluginCommand): void {
  // A plugin that is new on disk is known to nobody yet.
  if (command !== 'load' && host.status(plugin) === undefined) {
    throw new XCoreError('not_found', `There is no plugin "${plugin}"; GET /admin/plugins lists them.`)
  }
  const dependents = command === 'unload' ? host.requiredBy(plugin) : []
  if (dependents.length > 0)
    throw new XCoreError('plugin_required', `plugin ${plugin} is required by ${dependents.join(', ')}; unload them first`)
}

function late(process: string, deadlineMs: number): { code: string; message: string } {
  return { code: 'timeout', message: `process ${process} did not answer within ${deadlineMs / 1000} s; it may still do it, or be gone` }
}
