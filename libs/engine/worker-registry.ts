import type { Notifications } from '../postgres/notifications.ts'
import type { Database, Statement } from '../postgres/sql.ts'
import type { Logger } from '../telemetry/logger.ts'

/** What one worker process runs. */
export interface ServedPlugin {
  readonly name: string
  readonly version: string
  /** The actions it declares. */
  readonly actions: readonly string[]
}

/** Which worker processes run which plugins, shared by all processes. */
export interface WorkerRegistry {
  /** From now on this process is listed with what `plugins` answers, until `leave`. */
  serve(plugins: () => readonly ServedPlugin[]): Promise<void>
  leave(): Promise<void>
  /** Plugins whose jobs some process runs now. */
  served(): Promise<ReadonlySet<string>>
  /** Another process runs a version of the plugin that declares this action, and the one here does not. */
  isElsewhere(plugin: string, action: string): Promise<boolean>
}

export interface WorkerRegistryOptions {
  readonly database: Database
  readonly notifications: Pick<Notifications, 'listen' | 'notify'>
  readonly logger: Logger
  /** Names this process. */
  readonly worker: string
  /** Milliseconds. Default 10,000. A process that has not been heard of for three times as long has gone. */
  readonly renewMs?: number
}

const RENEW: Statement = {
  name: 'workers_renew',
  text: `insert into xcore.workers (worker, plugins) values ($1, $2::jsonb)
    on conflict (worker) do update set plugins = excluded.plugins, seen_at = now()`,
}
const LEAVE: Statement = {
  name: 'workers_leave',
  text: `delete from xcore.workers where worker = $1 or seen_at < now() - interval '1 hour'`,
}
const ALL: Statement = {
  name: 'workers_all',
  text: `select worker, plugins from xcore.workers where seen_at > now() - $1::float8 * interval '1 millisecond'`,
}

type Plugins = Readonly<Record<string, { readonly version: string; readonly actions: readonly string[] }>>
interface Row {
  worker: string
  plugins: Plugins
}

/** How old an answer about other workers may be. */
const FRESH_MS = 1_000

export function createWorkerRegistry(options: WorkerRegistryOptions): WorkerRegistry {
  const { database, notifications, logger, worker } = options
  const renewMs = options.renewMs ?? 10_000
  let list: () => readonly ServedPlugin[] = () => []
  let own: Plugins = {}
  let timer: NodeJS.Timeout | undefined
  let unlisten = () => {}
  let known: { readonly at: number; readonly rows: Promise<Row[]> } | undefined

  function all(): Promise<Row[]> {
    const now = Date.now()
    if (known === undefined || now - known.at > FRESH_MS) {
      const rows = database.query<Row>(ALL, [3 * renewMs])
      known = { at: now, rows }
      rows.catch(() => (known = undefined))
    }
    return known.rows
  }

  async function renew(): Promise<void> {
    own = Object.fromEntries(list().map(({ name, version, actions }) => [name, { version, actions }]))
    await database.query(RENEW, [worker, JSON.stringify(own)])
  }

  return {
    async serve(plugins) {
      list = plugins
      unlisten = notifications.listen('xcore_plugins', () => (known = undefined))
      await renew()
      timer = setInterval(
        () => void renew().catch((err: unknown) => logger.debug({ err }, 'this worker could not renew its entry in the list of workers')),
        renewMs,
      )
      await notifications.notify('xcore_plugins', worker).catch(() => {})
    },

    async leave() {
      if (timer === undefined) return
      clearInterval(timer)
      timer = undefined
      unlisten()
      await database
        .query(LEAVE, [worker])
        .catch((err: unknown) => logger.debug({ err }, 'this worker could not leave the list of workers; it is dropped after a while'))
    },

    async served() {
      return new Set((await all()).flatMap((row) => Object.keys(row.plugins)))
    },

    async isElsewhere(plugin, action) {
      if (own[plugin]?.actions.includes(action) ?? false) return false
      return (await all()).some((row) => row.worker !== worker && (row.plugins[plugin]?.actions.includes(action) ?? false))
    },
  }
}
