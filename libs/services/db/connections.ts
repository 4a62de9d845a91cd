import { Pool } from 'pg'
import type { PoolClient, QueryConfig, QueryResult } from 'pg'
import { XCoreError } from '../../errors/index.ts'
import { addressOf, clientConfig, isConnectionError, isPoolTimeout } from '../../postgres/connection.ts'
import { survive } from '../../postgres/database.ts'
import type { Database, Statement } from '../../postgres/sql.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { ResultBudget, ResultMeter } from './result-meter.ts'
import type { PluginRole } from './roles.ts'
import { sqlError } from './sql-error.ts'
import { plugintypes } from './values.ts'

export interface ConnectionsOptions {
  readonly plugin: string
  readonly schema: string
  readonly role: PluginRole
  /** The role may only read. */
  readonly readOnly: boolean
  /** XCore's own, whose user and password are replaced. */
  readonly url: string
  /** XCore's own, to end connections that do not obey. */
  readonly database: Database
  readonly logger: Logger
  readonly max: number
  /** Of one answer, in bytes; null: no limit. */
  readonly maxResultBytes: number | null
}

/** Connections of one role of one plugin, opened as they are needed. */
export interface Connections {
  /** Call `giveBack` of it; nothing of what was set on it is left afterwards. */
  borrow(): Promise<PluginConnection>
  /** Ends what is still lent out, and closes all. */
  close(): Promise<void>
}

export interface PluginConnection {
  /** Runs one statement. Throws XCoreError `database_error`, `permission_denied`, `database_unavailable`. */
  query<Row extends object>(sql: string, params?: readonly unknown[]): Promise<Row[]>
  /** As `query`, but with Postgres's own errors, and what it answered. `timeoutMs`: how long to wait for the answer; default 45,000. */
  raw(sql: string, params?: readonly unknown[], timeoutMs?: number): Promise<QueryResult<Record<string, unknown>>>
  /** Ends it in the server, whatever runs on it. */
  terminate(): void
  giveBack(): void
}

const IDLE_MS = 10_000

const TERMINATE: Statement = {
  name: 'terminate_plugin_backend',
  // A process id may belong to another by now.
  text: `select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and usename = $2`,
}

export function createConnections(options: ConnectionsOptions): Connections {
  const { plugin, database, logger, role, max } = options
  const url = urlFor(options.url, role)
  const config = clientConfig({ url, applicationName: `xcore plugin ${plugin}`.slice(0, 63) })
  const settings = [
    config.options,
    `-c search_path="${options.schema}"`,
    ...(options.readOnly ? ['-c default_transaction_read_only=on'] : []),
  ]
  const pool = new Pool({
    ...config,
    options: settings.join(' '),
    pipeline: false,
    types: plugintypes,
    max,
    idleTimeoutMillis: IDLE_MS,
    allowExitOnIdle: true,
  })
  pool.on('error', (error) => logger.debug({ err: error }, 'an idle database connection of a plugin was lost'))
  pool.on('connect', survive)

  const out = new Set<PluginConnection>()
  const budget = options.maxResultBytes === null ? null : new ResultBudget(options.maxResultBytes)

  async function borrow(): Promise<PluginConnection> {
    try {
      const connection = lent(await pool.connect())
      out.add(connection)
      return connection
    } catch (error) {
      if (!isPoolTimeout(error) || pool.totalCount < max) throw sqlError(error, { plugin, url })
      throw new XCoreError(
        'database_unavailable',
        `Expected a free connection for plugin ${plugin} to ${addressOf(url)}, but all ${max} of this process were busy. ` +
          'Hold sessions and transactions for a shorter time, or lower `concurrency`.',
        { cause: error, retryAfterSeconds: 1 },
      )
    }
  }

  function lent(client: PoolClient): PluginConnection {
    const pid = 'processID' in client && typeof client.processID === 'number' ? client.processID : undefined
    let broken = false
    let back = false
    const onError = () => (broken = true)
    client.on('error', onError)
    const meter = budget === null ? undefined : new ResultMeter(plugin, budget, client, terminate)

    async function raw<Row extends object>(sql: string, params: readonly unknown[] = [], timeoutMs?: number): Promise<QueryResult<Row>> {
      meter?.begin()
      try {
        // The extended protocol takes one statement, also when there are no parameters.
        const query: QueryConfig & { queryMode: 'extended'; query_timeout?: number } = {
          text: sql,
          values: [...params],
          queryMode: 'extended',
        }
        return await client.query<Row>(timeoutMs === undefined ? query : { ...query, query_timeout: timeoutMs })
      } catch (error) {
        if (isConnectionError(error)) terminate()
        throw meter?.problem ?? error
      } finally {
        meter?.end()
      }
    }

    function terminate(): void {
      broken = true
      if (pid === undefined) return
      // The server notices a closed socket only when it next reads from it; the plugin may have switched off all its own limits.
      database.query(TERMINATE, [pid, role.name]).catch((err: unknown) => logger.warn({ err, plugin }, 'a connection could not be ended'))
    }

    function giveBack(): void {
      if (back) return
      back = true
      out.delete(connection)
      meter?.[Symbol.dispose]()
      void clean().then((whole) => {
        client.removeListener('error', onError)
        client.release(!whole)
      })
    }

    async function clean(): Promise<boolean> {
      if (broken || client.getTransactionStatus() !== 'I') return false
      try {
        await client.query('discard all')
        return !broken
      } catch {
        return false
      }
    }

    const connection: PluginConnection = {
      async query<Row extends object>(sql: string, params?: readonly unknown[]): Promise<Row[]> {
        try {
          const { rows } = await raw<Row>(sql, params)
          return rows
        } catch (error) {
          throw sqlError(error, { plugin, url, sql })
        }
      },
      raw,
      terminate,
      giveBack,
    }
    return connection
  }

  return {
    borrow,
    async close() {
      // A handler that was given up may hold one for as long as it likes.
      for (const connection of out) connection.terminate()
      await pool.end()
    },
  }
}

function urlFor(url: string, role: PluginRole): string {
  const parsed = new URL(url)
  parsed.username = role.name
  parsed.password = role.password
  parsed.searchParams.delete('user')
  parsed.searchParams.delete('password')
  return parsed.href
}
