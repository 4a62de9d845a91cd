import { Pool } from 'pg'
import type { PoolClient, QueryConfig, QueryResult } from 'pg'
import { XCoreError } from '../errors/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import { addressOf, clientConfig, databaseError, isConnectionError, isPoolTimeout } from './connection.ts'
import type { ConnectionOptions } from './connection.ts'
import type { Database, Sql, Statement, Tx } from './sql.ts'
import { runBatch } from './statement-batch.ts'
import type { BatchStatement } from './statement-batch.ts'

export interface DatabaseOptions extends ConnectionOptions {
  /** Connections at most. Default 10. */
  readonly max?: number
  readonly logger?: Logger
}

export interface PooledDatabase extends Database {
  /** Resolves when the server answers. Throws `database_unavailable`. */
  ready(): Promise<void>
  /** Waits for what runs, then closes all connections. */
  close(): Promise<void>
}

/** One connection on loan. `discard` makes it leave the pool when it comes back. */
interface Loan {
  readonly client: PoolClient
  discard(): void
}

/**
 * A pool of connections with `search_path = xcore, public`.
 *
 * Values: timestamptz → Date, json and jsonb parsed, int8 and numeric as strings (`BigInt(row.position)` where needed).
 * Statements that a transaction issues without awaiting each (`Promise.all`) share one round trip and run in the order of the calls.
 * Throws `database_unavailable` when the connection is at fault; errors of statements are `pg`'s own (`sqlState` reads their code).
 * Nothing is retried here. When the connection breaks during a commit, `details.commit` of the error is `unknown`.
 */
export function createDatabase(options: DatabaseOptions): PooledDatabase {
  const max = options.max ?? 10
  // Two stay open when nothing runs: the first request after a quiet time should not wait for a login.
  const pool = new Pool({ ...clientConfig(options), max, min: Math.min(2, max), idleTimeoutMillis: 30_000 })
  // The pool has dropped the connection already; without a listener the event would end the process.
  pool.on('error', (error) => options.logger?.debug({ err: error }, 'an idle database connection was lost'))
  pool.on('connect', survive)
  let closing: Promise<void> | undefined

  async function connect(): Promise<PoolClient> {
    try {
      return await pool.connect()
    } catch (error) {
      if (pool.totalCount < max || !isPoolTimeout(error)) throw error
      throw new XCoreError(
        'database_unavailable',
        `Expected a free connection to ${addressOf(options.url)}, but all ${max} of this pool were busy. Look for transactions that take long, or allow more connections.`,
        { cause: error, retryAfterSeconds: 1 },
      )
    }
  }

  async function borrow<T>(use: (loan: Loan) => Promise<T>): Promise<T> {
    let broken = false
    const discard = () => {
      broken = true
    }
    try {
      const client = await connect()
      client.on('error', discard)
      try {
        return await use({ client, discard })
      } catch (error) {
        if (isConnectionError(error)) discard()
        throw error
      } finally {
        client.removeListener('error', discard)
        // After a plain statement error the connection is whole: it goes back with its prepared statements.
        client.release(broken)
      }
    } catch (error) {
      throw databaseError(error, options.url)
    }
  }

  function transaction<T>(fn: (tx: Tx) => Promise<T>): Promise<T> {
    return borrow(async (loan) => {
      await loan.client.query('begin')
      const scope = { open: true }
      let result: T
      try {
        result = await fn(openTx(loan.client, scope))
      } catch (error) {
        scope.open = false
        // The first error is the one to report, whatever the rollback does.
        await loan.client.query('rollback').catch(loan.discard)
        throw error
      }
      scope.open = false
      await commit(loan, options.url)
      return result
    })
  }

  function atOnce<T>(issue: (tx: Tx) => Promise<T>): Promise<T> {
    return borrow(async (loan) => {
      const pending: Pending[] = []
      const scope = { open: true }
      let work: Promise<T>
      try {
        work = issue(gatherTx(pending, scope))
      } finally {
        scope.open = false
      }
      const [result, committed] = await Promise.allSettled([work, answerAll(loan, pending, options.url)])
      // Also when the error of a statement was swallowed: nothing is written then.
      if (committed.status === 'rejected') throw committed.reason
      if (result.status === 'rejected') throw result.reason
      return result.value
    })
  }

  const sql: Sql = {
    query: <Row extends object>(statement: Statement, params?: readonly unknown[]) =>
      borrow(({ client }) => execute<Row>(client, statement, params)),
    run: <Row extends object>(text: string, params?: readonly unknown[]) => borrow(({ client }) => execute<Row>(client, { text }, params)),
  }
  return {
    ...sql,
    transaction,
    atOnce,
    ready: async () => void (await sql.run('select 1')),
    close: () => (closing ??= pool.end()),
  }
}

/**
 * The pool takes its listener off a connection that it hands out, and the borrower gets it some microtasks later. What the server says in
 * the same packet (that it shuts down) comes in between, and an `error` event that nobody hears ends the process.
 */
export function survive(client: PoolClient): void {
  client.on('error', () => {})
}

async function execute<Row extends object>(client: PoolClient, statement: QueryConfig, params: readonly unknown[] = []): Promise<Row[]> {
  // Unnamed SQL of several statements gives a list of results; the last one counts.
  const answer: QueryResult<Row> | QueryResult<Row>[] = await client.query<Row>({ ...statement, values: [...params] })
  return [answer].flat().at(-1)?.rows ?? []
}

function openTx(client: PoolClient, scope: { readonly open: boolean }): Tx {
  return guardedTx(scope, (statement, params) => execute(client, statement, params))
}

/** A statement that waits for the others of its transaction. */
interface Pending extends BatchStatement {
  resolve(rows: object[]): void
  reject(error: unknown): void
}

function gatherTx(pending: Pending[], scope: { readonly open: boolean }): Tx {
  return guardedTx(scope, <Row extends object>(statement: BatchStatement['statement'], params: readonly unknown[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<Row[]>()
    pending.push({ statement, params, resolve: (rows: Row[]) => resolve(rows), reject })
    return promise
  })
}

function guardedTx(
  scope: { readonly open: boolean },
  issue: <Row extends object>(statement: BatchStatement['statement'], params: readonly unknown[]) => Promise<Row[]>,
): Tx {
  const guarded = <Row extends object>(statement: BatchStatement['statement'], params: readonly unknown[] = []): Promise<Row[]> => {
    if (!scope.open)
      return Promise.reject(
        new XCoreError(
          'internal_error',
          'The transaction has ended, but a statement was issued on it. Await every statement inside the function given to transaction().',
        ),
      )
    return issue<Row>(statement, params)
  }
  return { inTransaction: true, query: guarded, run: (text, params) => guarded({ text }, params) }
}

/** Resolves once committed. */
async function answerAll(loan: Loan, pending: readonly Pending[], url: string): Promise<void> {
  if (pending.length === 0) return
  try {
    const results = await runBatch(loan.client, pending)
    pending.forEach(({ resolve }, index) => resolve(results[index] ?? []))
  } catch (error) {
    if (isConnectionError(error)) loan.discard()
    // The server may have committed before the connection was lost.
    const told = databaseError(error, url, { commit: 'unknown' })
    for (const { reject } of pending) reject(told)
    throw told
  }
}

async function commit(loan: Loan, url: string): Promise<void> {
  let command: string
  try {
    command = (await loan.client.query('commit')).command
  } catch (error) {
    loan.discard()
    throw databaseError(error, url, { commit: 'unknown' })
  }
  // Postgres answers ROLLBACK, and no error, to the commit of a transaction in which a statement failed.
  if (command !== 'COMMIT') {
    throw new XCoreError(
      'internal_error',
      `Expected the transaction to commit, but Postgres answered ${command}: the error of a statement in it was swallowed. Let it pass.`,
    )
  }
}
