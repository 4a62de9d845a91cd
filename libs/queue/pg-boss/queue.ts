import { PgBoss } from 'pg-boss'
import type { JobInsert } from 'pg-boss'
import { jobId } from '../../event-log/ids.ts'
import type { PluginName } from '../../event-log/ids.ts'
import type { Notifications } from '../../postgres/notifications.ts'
import type { Database, Sql, Tx } from '../../postgres/sql.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Claim, Queue, QueueEntry, RetryEntry } from '../port.ts'
import { bossSql } from './boss-sql.ts'
import { depthRows, dueRows, heldRows, listRows } from './live-rows.ts'
import { createWake } from './wake.ts'

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
// pg-boss removes what waits longer than this; ours may wait as long as it takes.
const KEEP_SECONDS = 60 * 60 * 24 * 365 * 20
const DAY_SECONDS = 60 * 60 * 24
// pg-boss reads this row of a delete; a transaction that only records statements has none.
const NOTHING_DELETED = { count: '0', ids: [], retained: 0 }

/**
 * pg-boss 12 as the queue. Jobs are put on it inside the caller's transaction and deleted from it in the transaction that settles
 * them, so queue and log cannot disagree. pg-boss's own retries serve one end only: to bring back jobs whose holder was lost
 * (retry_count counts those); every other retry is a fresh row.
 */
export function createPgBossQueue(options: PgBossQueueOptions): Queue {
  const { database, claims, logger } = options
  const wake = createWake(options.notifications, logger)
  const declared = new Set<PluginName>()
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
    for (const plugin of new Set(plugins)) {
      if (declared.has(plugin)) continue
      const settings = {
        retryLimit: 10_000,
        retryDelay: 0,
        heartbeatSeconds: options.heartbeatSeconds ?? 20,
        expireInSeconds: DAY_SECONDS,
        retentionSeconds: KEEP_SECONDS,
        deleteAfterSeconds: 60,
      }
      await boss.createQueue(plugin, { policy: 'standard', ...settings })
      await boss.updateQueue(plugin, settings)
      declared.add(plugin)
    }
  }

  async function insert(sql: Sql, entries: readonly QueueEntry[]): Promise<void> {
    const db = bossSql(sql, true)
    await Promise.all(
      [...Map.groupBy(entries, (entry) => entry.plugin)].map(([plugin, rows]) => boss.insert(plugin, rows.map(toInsert), { db })),
    )
  }

  async function remove(sql: Sql, entries: readonly Pick<QueueEntry, 'jobId' | 'plugin'>[]): Promise<void> {
    const db = bossSql(sql, true, NOTHING_DELETED)
    await Promise.all(
      [...Map.groupBy(entries, (entry) => entry.plugin)].map(([plugin, rows]) =>
        boss.deleteJob(
          plugin,
          rows.map((row) => row.jobId),
          { db },
        ),
      ),
    )
  }

  async function putBack(sql: Sql, retries: readonly RetryEntry[]): Promise<void> {
    if (retries.length === 0) return
    // Both statements leave together and run in this order.
    await Promise.all([
      remove(
        sql,
        retries.map(({ claim }) => claim),
      ),
      insert(
        sql,
        retries.map(({ claim, priority, runAt }) => ({ ...claim, priority, runAt })),
      ),
    ])
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

    async enqueue(tx: Tx, entries) {
      // A plugin may be known to this process only by its subscription.
      await declare(entries.map((entry) => entry.plugin))
      await insert(tx, entries)
    },

    async committed(entries) {
      const now = Date.now()
      wake.announce(new Set(entries.filter((entry) => entry.runAt === null || entry.runAt.getTime() <= now).map((entry) => entry.plugin)))
    },

    async claim(plugin, limit) {
      const rows = await boss.fetch(plugin, { batchSize: limit, db: bossSql(claims, false) })
      return rows.map((row): Claim => ({ jobId: jobId(row.id), plugin, lost: row.retryCount > 0 }))
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

    acknowledge: (tx, done) => remove(tx, done),
    retry: (tx, retries) => putBack(tx, retries),

    async settled(_done, retries) {
      const now = Date.now()
      wake.announce(new Set(retries.filter(({ runAt }) => runAt.getTime() <= now).map(({ claim }) => claim.plugin)))
    },

    async release(entries) {
      if (entries.length === 0) return
      await database.transaction((tx) => putBack(tx, entries))
      wake.announce(new Set(entries.map(({ claim }) => claim.plugin)))
    },

    remove: (tx, entries) => remove(tx, entries),
    held: (entries) => heldRows(database, entries),
    list: (filter) => listRows(database, filter),
    depths: () => depthRows(database),
  }
}

function toInsert(entry: QueueEntry): JobInsert {
  return { id: entry.jobId, priority: entry.priority, ...(entry.runAt === null ? {} : { startAfter: entry.runAt }) }
}
