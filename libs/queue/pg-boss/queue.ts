import { PgBoss } from 'pg-boss'
import { jobId } from '../../event-log/ids.ts'
import type { PluginName } from '../../event-log/ids.ts'
import type { Notifications } from '../../postgres/notifications.ts'
import type { Database, Sql } from '../../postgres/sql.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Claim, Queue, RetryEntry } from '../port.ts'
import { createWake } from '../wake.ts'
import { bossSql } from './boss-sql.ts'
import { depthRows, dueRows, heldAlone, heldRows, listRows } from './live-rows.ts'
import { teachPlanner } from './planner-statistics.ts'
import { DELETE_AFTER_SECONDS, EXPIRE_SECONDS, KEEP_SECONDS, RETRY_LIMIT, deleteRows, insertRows } from './write-rows.ts'

export interface PgBossQueueOptions {
  /** For pg-boss's own maintenance: creating its schema and queues, finding lost holders. */
  readonly url: string
  readonly database: Database
  /**
   * Where claims and heartbeats run. Give it a database with `synchronous_commit` off: a claim that a crash of Postgres forgets
   * only makes the job run again, so it need not wait for the disk.
   */
  readonly claims: Database
  readonly notifications: Notifications
  readonly logger: Logger
  /** After how long without a heartbeat a holder counts as lost. Seconds, at least 10 (pg-boss). Default 20. */
  readonly heartbeatSeconds?: number
  /** How often lost holders are looked for, seconds. Default 10. */
  readonly superviseSeconds?: number
  /** How often due jobs are looked for without being told (delayed ones, missed wake-ups). Milliseconds. Default 500. */
  readonly pollMs?: number
}

const SCHEMA = 'pgboss'

/**
 * pg-boss 12 as the queue. Jobs are put on it inside the caller's transaction and deleted from it in the transaction that settles
 * them, so queue and log cannot disagree. pg-boss's own retries serve one end only: to bring back jobs whose holder was lost
 * (retry_count counts those); every other retry is a fresh row.
 */
export function createPgBossQueue(options: PgBossQueueOptions): Queue {
  const { database, claims, logger } = options
  const wake = createWake(options.notifications, logger)
  const declared = new Set<PluginName>()
  /** Plugins whose jobs are claimed under a bound over all processes: one that ends makes room for others everywhere. */
  const bounded = new Set<PluginName>()
  const heartbeatSeconds = options.heartbeatSeconds ?? 20
  const boss = new PgBoss({
    connectionString: options.url,
    schema: SCHEMA,
    application_name: 'xcore-queue',
    max: 3,
    schedule: false,
    supervise: true,
    superviseIntervalSeconds: options.superviseSeconds ?? 10,
    monitorIntervalSeconds: options.superviseSeconds ?? 10,
    persistWarnings: false,
  })
  boss.on('error', (err) => logger.warn({ err }, 'the queue’s own maintenance failed; it tries again'))
  boss.on('warning', (warning) => logger.debug({ warning }, 'warning of the queue’s maintenance'))
  let poller: NodeJS.Timeout | undefined
  let polling = false
  let started = false

  async function poll(): Promise<void> {
    const watched = wake.watched()
    if (polling || watched.length === 0) return
    polling = true
    try {
      wake.local(await dueRows(claims, watched))
    } catch (err) {
      logger.debug({ err }, 'looking for due jobs failed; it is tried again')
    } finally {
      polling = false
    }
  }

  async function declare(plugins: readonly PluginName[]): Promise<void> {
    const fresh = [...new Set(plugins)].filter((plugin) => !declared.has(plugin))
    if (fresh.length === 0) return
    for (const plugin of fresh) {
      const settings = {
        retryLimit: RETRY_LIMIT,
        retryDelay: 0,
        heartbeatSeconds,
        expireInSeconds: EXPIRE_SECONDS,
        retentionSeconds: KEEP_SECONDS,
        deleteAfterSeconds: DELETE_AFTER_SECONDS,
      }
      await boss.createQueue(plugin, { policy: 'standard', ...settings })
      await boss.updateQueue(plugin, settings)
    }
    await teachPlanner(database, fresh)
    for (const plugin of fresh) declared.add(plugin)
  }

  async function fetchFrom(sql: Sql, plugin: PluginName, limit: number): Promise<Claim[]> {
    const rows = await boss.fetch(plugin, { batchSize: limit, db: bossSql(sql, false) })
    return rows.map((row): Claim => ({ jobId: jobId(row.id), plugin, lost: row.retryCount > 0 }))
  }

  /** Issued together they run in this order. */
  async function putBack(sql: Sql, retries: readonly RetryEntry[]): Promise<void> {
    const rows = retries.map(({ claim, priority, runAt }) => ({ ...claim, priority, runAt }))
    await Promise.all([deleteRows(sql, rows), insertRows(sql, rows, heartbeatSeconds)])
  }

  function wakeFor(entries: readonly { readonly plugin: PluginName; readonly runAt: Date | null }[]): void {
    const now = Date.now()
    const due = new Set<PluginName>()
    let jobs = 0
    for (const { plugin, runAt } of entries) {
      if (runAt === null || runAt.getTime() <= now) {
        due.add(plugin)
        jobs += 1
      } else wake.at(plugin, runAt.getTime() - now)
    }
    if (jobs > 0) wake.announce(due, jobs)
  }

  return {
    driver: 'pg-boss',

    async start() {
      await boss.start()
      started = true
      poller = setInterval(() => void poll(), options.pollMs ?? 500)
    },

    async stop() {
      clearInterval(poller)
      await wake.stop()
      if (started) await boss.stop({ graceful: false, close: true })
      started = false
    },

    declare,

    enqueue: (tx, entries) => insertRows(tx, entries, heartbeatSeconds),

    async committed(entries) {
      wakeFor(entries)
    },

    async claim(plugin, limit, total) {
      if (total === undefined) {
        bounded.delete(plugin)
        return fetchFrom(claims, plugin, limit)
      }
      bounded.add(plugin)
      return claims.transaction(async (tx) => {
        const room = Math.min(limit, total - (await heldAlone(tx, plugin)))
        return room > 0 ? fetchFrom(tx, plugin, room) : []
      })
    },

    onReady: (plugin, listener) => wake.on(plugin, listener),

    async heartbeat(held) {
      const db = bossSql(claims, true)
      await Promise.all(
        [...Map.groupBy(held, (claim) => claim.plugin)].map(([plugin, rows]) =>
          boss.touch(
            plugin,
            rows.map((claim) => claim.jobId),
            { db },
          ),
        ),
      )
    },

    acknowledge: (tx, done) => deleteRows(tx, done),
    retry: (tx, retries) => putBack(tx, retries),

    async settled(done, retries) {
      const freed = new Set(done.map((claim) => claim.plugin).filter((plugin) => bounded.has(plugin)))
      if (freed.size > 0) wake.announce(freed)
      wakeFor(retries.map(({ claim, runAt }) => ({ plugin: claim.plugin, runAt })))
    },

    async release(entries) {
      if (entries.length === 0) return
      await database.transaction((tx) => putBack(tx, entries))
      wake.announce(new Set(entries.map(({ claim }) => claim.plugin)))
    },

    remove: (tx, entries) => deleteRows(tx, entries),
    held: (entries) => heldRows(database, entries),
    list: (filter) => listRows(database, filter),
    depths: () => depthRows(database),
  }
}
