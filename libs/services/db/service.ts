import type { Db, DbSession, Transaction } from '@xcore/sdk'
import type { Stager } from '../../engine/index.ts'
import { XCoreError } from '../../errors/index.ts'
import type { DatabaseOwner, PluginDatabases } from '../../plugin-host/index.ts'
import type { Database } from '../../postgres/sql.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { createConnections } from './connections.ts'
import type { Connections, PluginConnection } from './connections.ts'
import { findPending, readPluginMigrations, recordMigrations, runMigration } from './migrations.ts'
import { ensurePluginDatabase } from './roles.ts'
import type { PluginDatabase, PluginRole } from './roles.ts'
import { schemaName } from './schema-name.ts'
import { PluginDatabaseTransaction } from './transaction.ts'
import { checkedCall } from './values.ts'

export interface DbServiceOptions {
  /** XCore's own connection URL; plugins log in there as roles of their own. */
  readonly url: string
  readonly database: Database
  /** Of the engine, which is made after the services. */
  readonly stager: () => Stager
  readonly logger: Logger
  /** Longest session or transaction, milliseconds. Default 300,000. */
  readonly longestMs?: number
}

/** The `db` service of one process. */
export interface DbService extends PluginDatabases {
  /** What `getService('db')` hands out. */
  of(owner: DatabaseOwner): Db
  /** Applies the plugin's pending migrations, before it loads. Throws XCoreError `plugin_migration_failed`, `database_privilege_missing`. */
  migrate(owner: DatabaseOwner): Promise<void>
  /** Closes all connections. */
  close(): Promise<void>
}

type Mode = 'write' | 'read'
type Owner = Pick<DatabaseOwner, 'name' | 'maxResultBytes'>

/** Statements on their own, and what holds a connection for longer, so that the latter cannot starve the former. */
const QUERY_CONNECTIONS = 4
const HELD_CONNECTIONS = 12
const LONGEST_MS = 300_000
const DAY_SECONDS = 86_400

export function createDbService(options: DbServiceOptions): DbService {
  const { url, database, logger } = options
  const longestMs = options.longestMs ?? LONGEST_MS
  const databases = new Map<string, Promise<PluginDatabase>>()
  const pools = new Map<string, Connections>()

  /** Made when first needed: most plugins have no use for a database. A failure is tried again at the next use. */
  function databaseOf(plugin: string, repair = false): Promise<PluginDatabase> {
    const known = repair ? undefined : databases.get(plugin)
    if (known !== undefined) return known
    const made = ensurePluginDatabase(database, plugin, repair)
    databases.set(plugin, made)
    made.catch(() => databases.get(plugin) === made && databases.delete(plugin))
    return made
  }

  /** Which role the manifest gives the plugin. */
  function modeOf(owner: DatabaseOwner): Mode {
    const resource = `db.${schemaName(owner.name)}`
    if (owner.permissions.allows(resource, 'write')) return 'write'
    owner.permissions.check(resource, 'read')
    return 'read'
  }

  async function connections(owner: Owner, mode: Mode, use: 'query' | 'held'): Promise<Connections> {
    const { name: plugin, maxResultBytes } = owner
    const made = await databaseOf(plugin)
    const role: PluginRole = mode === 'write' ? made.writer : made.reader
    const key = `${role.name} ${use} ${maxResultBytes}`
    let pool = pools.get(key)
    if (pool === undefined) {
      const max = use === 'query' ? QUERY_CONNECTIONS : HELD_CONNECTIONS
      pool = createConnections({
        plugin,
        schema: made.schema,
        role,
        readOnly: mode === 'read',
        url,
        database,
        logger,
        max,
        maxResultBytes: maxResultBytes ?? null,
      })
      pools.set(key, pool)
    }
    return pool
  }

  async function borrow(owner: Owner, mode: Mode, use: 'query' | 'held'): Promise<PluginConnection> {
    try {
      return await (await connections(owner, mode, use)).borrow()
    } catch (error) {
      if (!isRefusedLogin(error)) throw error
      // The role was dropped, or the plugin changed its own password: XCore's word counts.
      await databaseOf(owner.name, true)
      return (await connections(owner, mode, use)).borrow()
    }
  }

  async function begin(owner: Owner, mode: Mode): Promise<PluginDatabaseTransaction> {
    const { name: plugin } = owner
    const connection = await borrow(owner, mode, 'held')
    const role = (await databaseOf(plugin))[mode === 'write' ? 'writer' : 'reader'].name
    return PluginDatabaseTransaction.begin(connection, { plugin, role, url, database, stager: options.stager(), longestMs })
  }

  async function transact<T>(transaction: PluginDatabaseTransaction, fn: (tx: Transaction) => Promise<T>): Promise<T> {
    let result: T
    try {
      result = await transaction.run(fn)
    } catch (error) {
      await transaction.rollback()
      throw error
    }
    await (transaction.staged.length === 0 ? transaction.commit([]) : options.stager().commit(transaction))
    return result
  }

  async function session<T>(owner: Owner, mode: Mode, fn: (session: DbSession) => Promise<T>): Promise<T> {
    const { name: plugin } = owner
    const connection = await borrow(owner, mode, 'held')
    const over = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      connection.terminate()
      over.reject(
        new XCoreError(
          'database_error',
          `A session of plugin ${plugin} was ended after ${longestMs / 1000} s, the longest that one may take.`,
        ),
      )
    }, longestMs)
    let open = true
    const alive = () => {
      if (!open) throw new XCoreError('bad_request', 'The session has ended, but it was used. Await everything inside its function.')
    }
    const handle: DbSession = {
      async query<Row extends object>(sql: string, params?: readonly unknown[]) {
        alive()
        const call = checkedCall(sql, params)
        return connection.query<Row>(call.sql, call.params)
      },
      async transaction(inner) {
        alive()
        const role = (await databaseOf(plugin))[mode === 'write' ? 'writer' : 'reader'].name
        // The session gives the connection back, not the transaction.
        const kept: PluginConnection = { ...connection, giveBack() {} }
        return transact(
          await PluginDatabaseTransaction.begin(kept, { plugin, role, url, database, stager: options.stager(), longestMs }),
          inner,
        )
      },
    }
    try {
      return await Promise.race([fn(handle), over.promise])
    } finally {
      open = false
      clearTimeout(timer)
      over.promise.catch(() => {})
      connection.giveBack()
    }
  }

  return {
    of(owner) {
      const plugin = owner.name
      return Object.freeze<Db>({
        async query<Row extends object>(sql: string, params?: readonly unknown[]) {
          const mode = modeOf(owner)
          const call = checkedCall(sql, params)
          const connection = await borrow(owner, mode, 'query')
          try {
            return await connection.query<Row>(call.sql, call.params)
          } catch (error) {
            // Postgres refused a write: told, counted and kept in the log like every permission that is denied.
            if (error instanceof XCoreError && error.details['sqlstate'] === '25006')
              owner.permissions.check(`db.${schemaName(plugin)}`, 'write')
            throw error
          } finally {
            connection.giveBack()
          }
        },
        async session(fn) {
          return session(owner, modeOf(owner), fn)
        },
        async transaction(fn) {
          return transact(await begin(owner, modeOf(owner)), fn)
        },
      })
    },

    async migrate(owner) {
      const files = await readPluginMigrations(owner.folder)
      if (files.length === 0 || (await findPending(database, owner.name, files)).length === 0) return
      const connection = await borrow(owner, 'write', 'held')
      const role = (await databaseOf(owner.name)).writer.name
      const target = {
        plugin: owner.name,
        role,
        url,
        database,
        stager: options.stager(),
        longestMs: (owner.maxMigrationSeconds ?? DAY_SECONDS) * 1000,
      }
      const transaction = await PluginDatabaseTransaction.begin(connection, target)
      try {
        await connection.query('select xcore_plugins.lock_migrations()')
        await connection.query(`set local statement_timeout = 0`)
        // Asked again: another process may have applied them while this one waited for the lock.
        const pending = await findPending(database, owner.name, files)
        for (const file of pending) await runMigration(connection, file)
        await transaction.commit(pending.length === 0 ? [] : [recordMigrations(owner.name, pending)])
        if (pending.length > 0) owner.logger.info({ migrations: pending.map(({ name }) => name) }, 'migrations of the plugin were applied')
      } catch (error) {
        await transaction.rollback()
        throw error
      }
    },

    begin: (owner) => begin(owner, modeOf(owner)),

    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.close()))
    },
  }
}

function isRefusedLogin(error: unknown): boolean {
  const cause = error instanceof XCoreError ? error.cause : error
  return cause instanceof Error && 'code' in cause && (cause.code === '28P01' || cause.code === '28000')
}
