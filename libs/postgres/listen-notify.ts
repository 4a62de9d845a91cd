import type { Client } from 'pg'
import { XCoreError } from '../errors/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import { isConnectionError } from './connection.ts'
import { NOTIFICATION_CHANNELS } from './notifications.ts'
import type { NotificationChannel, Notifications } from './notifications.ts'
import { createSession } from './session.ts'

export interface NotificationsOptions {
  readonly url: string
  readonly logger: Logger
  /** How often a silent connection is tested, in milliseconds. Default 5,000. */
  readonly checkMs?: number
}

interface Message {
  readonly channel: NotificationChannel
  readonly payload: string
}

const LONGEST_PAYLOAD = 7_900
/** Kept while there is no connection; the oldest go first. */
const MOST_WAITING = 1_000

/**
 * Notifications over LISTEN/NOTIFY on one connection, opened again when it is lost (`onReconnect` follows).
 * `start` throws `database_unavailable` when the first connection fails. `notify` rejects only for a payload that is too long: while
 * the connection is away up to 1,000 messages wait for it, and the promise resolves at once.
 */
export function createNotifications(options: NotificationsOptions): Notifications {
  const listeners = new Map<NotificationChannel, Set<(payload: string) => void>>(
    NOTIFICATION_CHANNELS.map((channel) => [channel, new Set()]),
  )
  const reconnectListeners = new Set<() => void>()
  let waiting: Message[] = []
  let flushing: Promise<void> | undefined
  let connectedBefore = false
  let suffix = ''

  const session = createSession({
    url: options.url,
    applicationName: 'xcore notifications',
    // A notification takes a transaction id, and so would wait for the disk; it says nothing that must survive.
    synchronousCommit: 'off',
    logger: options.logger,
    ...(options.checkMs === undefined ? {} : { checkMs: options.checkMs }),
    onLost: () => {},
    onConnect: async (client) => {
      client.on('notification', ({ channel, payload }) => deliver(channel, payload ?? ''))
      suffix = await secretSuffix(client)
      await client.query(NOTIFICATION_CHANNELS.map((channel) => `listen ${channel}${suffix}`).join('; '))
      const again = connectedBefore
      connectedBefore = true
      setImmediate(() => {
        if (again) for (const listener of [...reconnectListeners]) guarded(listener)
        flushing ??= flush()
      })
    },
  })

  function deliver(channel: string, payload: string): void {
    for (const [name, set] of listeners) if (name + suffix === channel) for (const listener of [...set]) guarded(() => listener(payload))
  }

  function guarded(listener: () => void): void {
    try {
      listener()
    } catch (error) {
      options.logger.error({ err: error }, 'a notification listener threw')
    }
  }

  /** What arrives while one batch is on its way forms the next one. */
  async function flush(): Promise<void> {
    // Let the other calls of this tick join.
    await Promise.resolve()
    for (let client = session.client(); waiting.length > 0 && client !== undefined; client = session.client()) {
      const batch = waiting
      waiting = []
      try {
        await client.query({
          name: 'xcore_notify',
          text: 'select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) as message (channel, payload)',
          values: [batch.map(({ channel }) => channel + suffix), batch.map(({ payload }) => payload)],
        })
      } catch (error) {
        if (isConnectionError(error)) {
          waiting = [...batch, ...waiting].slice(-MOST_WAITING)
          break
        }
        options.logger.warn({ err: error, messages: batch.length }, 'notifications were not sent')
      }
    }
    flushing = undefined
  }

  return {
    start: () => session.start(),
    stop: async () => {
      await flushing
      await session.stop()
      waiting = []
    },
    notify: async (channel, payload) => {
      const bytes = Buffer.byteLength(payload)
      if (bytes > LONGEST_PAYLOAD) {
        throw new XCoreError(
          'internal_error',
          `Expected a notification of at most ${LONGEST_PAYLOAD} bytes on ${channel}, found ${bytes}. Send ids and let the listener read the rest.`,
        )
      }
      if (waiting.push({ channel, payload }) > MOST_WAITING && session.client() === undefined) waiting.shift()
      await (flushing ??= flush())
    },
    listen: (channel, listener) => subscribe(listeners.get(channel) ?? new Set(), listener),
    onReconnect: (listener) => subscribe(reconnectListeners, listener),
  }
}

/** Every role of the database may use every channel whose name it knows, roles of plugins as well: so the names hold a secret. */
async function secretSuffix(client: Client): Promise<string> {
  const { rows: found } = await client.query<{ there: boolean }>(`select to_regclass('xcore.secrets') is not null as there`)
  if (found[0]?.there !== true) return ''
  const { rows } = await client.query<{ value: string }>(`select value from xcore.secrets where name = 'notification_channels'`)
  const [secret] = rows
  return secret === undefined || !/^[0-9a-f]{32}$/.test(secret.value) ? '' : `_${secret.value}`
}

function subscribe<Listener>(set: Set<Listener>, listener: Listener): () => void {
  set.add(listener)
  return () => void set.delete(listener)
}
