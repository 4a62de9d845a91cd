import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import type { Logger } from '../telemetry/logger.ts'
import { clientConfig, databaseError } from './connection.ts'
import type { ConnectionOptions } from './connection.ts'

export interface SessionOptions extends ConnectionOptions {
  readonly logger: Logger
  /** Prepares each new connection; one that it rejects for is closed and tried again. */
  readonly onConnect: (client: Client) => Promise<void>
  /** Runs every `checkMs` and so finds a connection that died without a word. Default: `select 1`. */
  readonly check?: (client: Client) => Promise<void>
  /** Default 5,000. A check that takes longer than 5,000 counts as a lost connection. */
  readonly checkMs?: number
  /** Called once for each connection that was lost, not for stop. */
  readonly onLost: () => void
}

/** One connection that is kept up: lost, it is opened again with growing pauses. */
export interface Session {
  /** Opens the first connection. Throws `database_unavailable` when that fails, and nothing goes on then. */
  start(): Promise<void>
  /** The same, but a first connection that fails is tried again like a later one. */
  startInBackground(): void
  /** Undefined while there is no connection. */
  client(): Client | undefined
  stop(): Promise<void>
}

const ANSWER_MS = 5_000
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 3_000

export function createSession(options: SessionOptions): Session {
  const check = options.check ?? (async (client: Client) => void (await client.query('select 1')))
  const stopping = new AbortController()
  let current: Client | undefined
  let running: Promise<void> | undefined

  async function open(): Promise<{ client: Client; lost: Promise<void> }> {
    const client = new Client({ ...clientConfig(options), query_timeout: ANSWER_MS })
    const { promise: lost, resolve: lose } = Promise.withResolvers<void>()
    client.on('error', () => lose())
    client.on('end', () => lose())
    try {
      await client.connect()
      await options.onConnect(client)
    } catch (error) {
      void client.end().catch(() => {})
      throw databaseError(error, options.url)
    }
    current = client
    return { client, lost }
  }

  async function keepUp(first?: { client: Client; lost: Promise<void> }): Promise<void> {
    let connection = first
    let pause = FIRST_PAUSE_MS
    while (!stopping.signal.aborted) {
      if (connection !== undefined) {
        pause = FIRST_PAUSE_MS
        await watch(connection)
        current = undefined
        await close(connection.client)
        connection = undefined
        if (stopping.signal.aborted) return
        options.logger.warn('a database connection was lost; opening it again')
        options.onLost()
      }
      try {
        connection = await open()
      } catch (error) {
        options.logger.debug({ err: error, pause_ms: pause }, 'the database connection could not be opened')
        // Up to a quarter more, so that many processes don't come back in step.
        await delay(pause * (1 + Math.random() / 4), undefined, { signal: stopping.signal }).catch(() => {})
        pause = Math.min(LONGEST_PAUSE_MS, pause * 2)
      }
    }
    if (connection !== undefined) await close(connection.client)
    current = undefined
  }

  /** Resolves when the connection is lost or the session is stopped. */
  async function watch({ client, lost }: { client: Client; lost: Promise<void> }): Promise<void> {
    const over = new AbortController()
    const stopped = AbortSignal.any([over.signal, stopping.signal])
    // Ends by rejecting: the check failed, or the wait was cut short.
    const checks = async () => {
      for (;;) {
        await delay(options.checkMs ?? 5_000, undefined, { signal: stopped })
        await check(client)
      }
    }
    const halted = new Promise<void>((resolve) => stopped.addEventListener('abort', () => resolve(), { once: true }))
    await Promise.race([lost, halted, checks().catch(() => {})])
    over.abort()
  }

  return {
    start: async () => {
      const first = await open()
      running = keepUp(first)
    },
    startInBackground: () => {
      running ??= keepUp()
    },
    client: () => current,
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}

/** Ends the connection; one that doesn't answer any more is cut off. */
async function close(client: Client): Promise<void> {
  const timer = setTimeout(() => client.connection.stream.destroy(), 1_000)
  await client.end().catch(() => {})
  clearTimeout(timer)
}
