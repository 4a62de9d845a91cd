import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from 'pg'
import type { Logger } from '../telemetry/logger.ts'
import { createSession } from './session.ts'

export interface LeadershipOptions {
  readonly url: string
  /** Of the duty, e.g. `scheduler`: one leader for each name over all processes on this database. */
  readonly name: string
  readonly logger: Logger
  /** How often a follower tries to become leader, and the leader makes sure that it still is, in milliseconds. Default 1,500. */
  readonly checkMs?: number
}

export interface Leadership {
  /**
   * Calls `onElected` whenever this process becomes the leader. The signal aborts when the lead is lost or given up; until the promise
   * of `onElected` settles, this process does not stand again. If it rejects, the lead goes to another process.
   */
  lead(onElected: (signal: AbortSignal) => Promise<void> | void): void
  isLeader(): boolean
  /** Aborts the signal, waits for `onElected` up to 10 s, and gives the lead up. */
  stop(): Promise<void>
}

const TRY_LOCK = "select pg_try_advisory_lock(hashtextextended('xcore leader ' || $1, 0)) as won"
const UNLOCK = "select pg_advisory_unlock(hashtextextended('xcore leader ' || $1, 0))"
const LONGEST_FAREWELL_MS = 10_000
/**
 * Makes the server notice within 11 s that the leader's machine is gone. The leader itself gives up within 1.5 s (check) + 5 s (no
 * answer), so two never lead at once.
 */
const SERVER_KEEPALIVE = '-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3'

/** Leader election by a session advisory lock on a connection of its own: Postgres gives it up when the leader's connection ends. */
export function createLeadership(options: LeadershipOptions): Leadership {
  let onElected: (signal: AbortSignal) => Promise<void> | void = () => {}
  let term: { readonly abort: AbortController; readonly work: Promise<void> } | undefined
  let stopped = false

  const session = createSession({
    url: withOptions(options.url, SERVER_KEEPALIVE),
    applicationName: `xcore leader ${options.name}`,
    logger: options.logger,
    checkMs: options.checkMs ?? 1_500,
    onConnect: stand,
    check: stand,
    onLost: () => endTerm('lost'),
  })

  async function stand(client: Client): Promise<void> {
    if (stopped) return
    if (term !== undefined) {
      // The lock lives as long as the connection: an answer is proof enough.
      await client.query('select 1')
      return
    }
    const { rows } = await client.query<{ won: boolean }>(TRY_LOCK, [options.name])
    if (rows[0]?.won === true) startTerm(client)
  }

  function startTerm(client: Client): void {
    options.logger.info({ duty: options.name }, 'this process leads')
    const abort = new AbortController()
    const work = (async () => onElected(abort.signal))().then(
      async () => {
        // The duty goes on in the background until the term ends.
        if (!abort.signal.aborted) await new Promise((resolve) => abort.signal.addEventListener('abort', resolve, { once: true }))
      },
      async (error: unknown) => {
        options.logger.error({ err: error, duty: options.name }, 'the leader failed; another process may lead')
        abort.abort()
        await client.query(UNLOCK, [options.name]).catch(() => {})
      },
    )
    term = { abort, work: work.finally(() => (term = undefined)) }
  }

  function endTerm(why: string): void {
    if (term === undefined) return
    options.logger.info({ duty: options.name, why }, 'this process leads no longer')
    term.abort.abort()
  }

  return {
    lead: (callback) => {
      onElected = callback
      session.startInBackground()
    },
    isLeader: () => term !== undefined && !term.abort.signal.aborted,
    stop: async () => {
      stopped = true
      endTerm('stopped')
      if (term !== undefined) {
        const patience = new AbortController()
        const late = delay(LONGEST_FAREWELL_MS, undefined, { signal: patience.signal }).then(
          () => options.logger.warn({ duty: options.name }, 'the leader did not end in time'),
          () => {},
        )
        await Promise.race([term.work, late])
        patience.abort()
      }
      await session.stop()
    },
  }
}

function withOptions(url: string, options: string): string {
  const parsed = new URL(url)
  parsed.searchParams.append('options', options)
  return parsed.href
}
