import { isTerminal, jobId } from '../event-log/index.ts'
import type { JobId, StoredJob } from '../event-log/index.ts'
import { findJobs } from '../event-log/jobs-table.ts'
import type { Notifications } from '../postgres/notifications.ts'
import type { Database } from '../postgres/sql.ts'
import type { Logger } from '../telemetry/logger.ts'

/**
 * Callers that wait for an outcome. One settled in this process is handed over at once, one settled elsewhere is announced by
 * NOTIFY (only jobs marked `awaited` are), and a poll over all that wait finds whatever was missed.
 */
export interface Waiters {
  /** Resolves with the terminal job, or undefined when the time is up or `signal` aborts. */
  wait(id: JobId, timeoutMs: number, signal?: AbortSignal): Promise<StoredJob | undefined>
  /** Whether somebody waits for the outcome, here or elsewhere. */
  wants(job: StoredJob): boolean
  /** Jobs that were settled in this process; those awaited elsewhere are announced. */
  settled(jobs: readonly StoredJob[]): void
  stop(): Promise<void>
}

export interface WaitersOptions {
  readonly database: Database
  readonly notifications: Notifications
  readonly logger: Logger
  /** Default 250. */
  readonly pollMs?: number
}

// 36 characters an id: far below the 7,900 bytes that a notification may carry.
const IDS_PER_NOTIFICATION = 200

export function createWaiters(options: WaitersOptions): Waiters {
  const { database, notifications, logger } = options
  const waiting = new Map<JobId, Set<(job: StoredJob | undefined) => void>>()
  const announcing = new Set<Promise<void>>()
  let poller: NodeJS.Timeout | undefined
  let looking = false

  function resolve(job: StoredJob): void {
    const resolvers = waiting.get(job.id)
    if (resolvers === undefined) return
    waiting.delete(job.id)
    for (const done of resolvers) done(job)
  }

  async function look(ids: readonly JobId[]): Promise<void> {
    if (ids.length === 0 || looking) return
    looking = true
    try {
      for (const job of await findJobs(database, ids)) if (isTerminal(job.state)) resolve(job)
    } catch (err) {
      logger.debug({ err }, 'looking for awaited outcomes failed; it is tried again')
    } finally {
      looking = false
      if (waiting.size === 0) stopPolling()
    }
  }

  function startPolling(): void {
    poller ??= setInterval(() => void look([...waiting.keys()]), options.pollMs ?? 250)
  }
  function stopPolling(): void {
    clearInterval(poller)
    poller = undefined
  }

  const unlisten = notifications.listen('xcore_settled', (payload) => {
    const ids = payload
      .split(' ')
      .map(jobId)
      .filter((id) => waiting.has(id))
    if (ids.length > 0) void lookNow(ids)
  })

  async function lookNow(ids: readonly JobId[]): Promise<void> {
    try {
      for (const job of await findJobs(database, ids)) if (isTerminal(job.state)) resolve(job)
    } catch (err) {
      logger.debug({ err }, 'reading announced outcomes failed; the poll finds them')
    }
  }

  return {
    wait(id, timeoutMs, signal) {
      if (signal?.aborted === true) return Promise.resolve(undefined)
      return new Promise((done) => {
        const resolvers = waiting.get(id) ?? new Set()
        waiting.set(id, resolvers.add(finish))
        const timer = setTimeout(finish, timeoutMs, undefined)
        const onAbort = () => finish(undefined)
        signal?.addEventListener('abort', onAbort, { once: true })
        startPolling()

        function finish(job: StoredJob | undefined): void {
          clearTimeout(timer)
          signal?.removeEventListener('abort', onAbort)
          resolvers.delete(finish)
          if (resolvers.size === 0 && waiting.get(id) === resolvers) waiting.delete(id)
          if (waiting.size === 0) stopPolling()
          done(job)
        }
      })
    },

    wants: (job) => job.meta.awaited === true || waiting.has(job.id),

    settled(jobs) {
      const elsewhere: JobId[] = []
      for (const job of jobs) {
        const here = waiting.has(job.id)
        resolve(job)
        if (!here && job.meta.awaited === true) elsewhere.push(job.id)
      }
      for (let at = 0; at < elsewhere.length; at += IDS_PER_NOTIFICATION) {
        const sent = notifications
          .notify('xcore_settled', elsewhere.slice(at, at + IDS_PER_NOTIFICATION).join(' '))
          .catch((err: unknown) => logger.debug({ err }, 'outcomes could not be announced; callers find them by polling'))
          .finally(() => announcing.delete(sent))
        announcing.add(sent)
      }
    },

    async stop() {
      unlisten()
      stopPolling()
      for (const resolvers of [...waiting.values()]) for (const done of [...resolvers]) done(undefined)
      await Promise.all(announcing)
    },
  }
}
