import type { ClientConfig } from 'pg'
import { XCoreError, messageOf } from '../errors/index.ts'

/** Where XCore's own tables live; pg-boss keeps its own schema `pgboss`. */
export const SCHEMA = 'xcore'

export interface ConnectionOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  /** Shown in pg_stat_activity. */
  readonly applicationName: string
  /** How long to wait for a connection, also for a free one of the pool, in milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number
  /** Milliseconds; 0: none. Default 30,000. */
  readonly statementTimeoutMs?: number
  /** Milliseconds; 0: none. Default 10,000. */
  readonly lockTimeoutMs?: number
  /** `off` only for writes that may be lost in a crash. Default: the server's setting. */
  readonly synchronousCommit?: 'on' | 'off'
  /**
   * For connections whose statements reach rows by key only: the planner is kept from scanning whole tables. A prepared statement keeps the
   * plan that was best while its table was empty; without this a table that fills in the minute before it is analysed is read from end to
   * end by every batch. Default false.
   */
  readonly byKey?: boolean
}

const BY_KEY = ['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin'].map((setting) => `-c ${setting}=off`)

const IDLE_IN_TRANSACTION_MS = 60_000
/** How much longer than the server's own limit the client waits before it calls the connection dead. */
const READ_GRACE_MS = 15_000

/** The settings that every connection of XCore shares, for `pg`'s Client and Pool. */
export function clientConfig(options: ConnectionOptions): ClientConfig {
  const statementTimeout = options.statementTimeoutMs ?? 30_000
  const settings = [`-c search_path=${SCHEMA},public`]
  if (options.synchronousCommit !== undefined) settings.push(`-c synchronous_commit=${options.synchronousCommit}`)
  if (options.byKey === true) settings.push(...BY_KEY)
  const { url, ownOptions } = splitOptions(options.url)
  return {
    connectionString: url,
    options: [...settings, ...ownOptions].join(' '),
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    statement_timeout: statementTimeout,
    lock_timeout: options.lockTimeoutMs ?? 10_000,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    ...(statementTimeout > 0 ? { query_timeout: statementTimeout + READ_GRACE_MS } : {}),
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // Statements that a transaction issues together leave in one packet instead of one round trip each.
    pipeline: true,
  }
}

/** In `pg` an `options` parameter of the URL would replace ours; here it is added behind them. */
function splitOptions(url: string): { url: string; ownOptions: string[] } {
  if (!URL.canParse(url)) return { url, ownOptions: [] }
  const parsed = new URL(url)
  const ownOptions = parsed.searchParams.getAll('options')
  if (ownOptions.length === 0) return { url, ownOptions }
  parsed.searchParams.delete('options')
  return { url: parsed.href, ownOptions }
}

/** `host:port/database` of a connection URL, without user and password. */
export function addressOf(url: string): string {
  if (!URL.canParse(url)) return 'the configured address'
  const { hostname, port, pathname, searchParams } = new URL(url)
  return `${searchParams.get('host') ?? (hostname || 'localhost')}:${port || '5432'}${pathname === '/' ? '' : pathname}`
}

// Node's codes, and SQLSTATEs: 08 connection exception, 28 login refused, 3D000 no such database, 53300 too many connections,
// 57P01–57P05 shutdown, crash, starting up, dropped, idle too long; 25P03 idle in a transaction for too long.
const CONNECTION_CODES = /^(E(?!RR_)[A-Z_]+|08...|28...|3D000|53300|57P0[1-5]|25P03)$/
const CONNECTION_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client (was closed|has encountered a connection error))/

/** Whether an error tells of the connection, not of the statement. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = sqlState(error)
  if (code !== undefined) return CONNECTION_CODES.test(code)
  return CONNECTION_MESSAGES.test(error.message)
}

/** Whether the pool gave up waiting, for a new connection or for a free one. */
export function isPoolTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'timeout exceeded when trying to connect'
}

/** The SQLSTATE (`23505` unique violation, …) or Node error code of a failed statement. */
export function sqlState(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return undefined
}

/** Connection trouble as `database_unavailable`, with the address but never the password; anything else as it is. */
export function databaseError(error: unknown, url: string, details: Readonly<Record<string, unknown>> = {}): unknown {
  if (error instanceof XCoreError || !isConnectionError(error)) return error
  const code = sqlState(error)
  const reason = code === 'ECONNREFUSED' ? 'nothing listens there' : messageOf(error)
  return new XCoreError('database_unavailable', `Expected Postgres at ${addressOf(url)}, but: ${reason}. ${remedyFor(code)}`, {
    cause: error,
    retryAfterSeconds: 1,
    details: { address: addressOf(url), ...details },
  })
}

function remedyFor(code: string | undefined): string {
  if (code?.startsWith('28')) return 'Check user and password of DATABASE_URL.'
  if (code === '3D000') return 'Create the database, or name another one in DATABASE_URL.'
  if (code === '53300') return "Raise the server's max_connections, or run fewer processes."
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'Check the host name of DATABASE_URL.'
  return 'Check DATABASE_URL and that the server runs.'
}
