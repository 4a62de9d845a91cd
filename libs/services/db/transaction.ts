import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Transaction } from '@xcore/sdk'
import { StatementRefused, bindStage } from '../../engine/index.ts'
import type { EmitRequest, JobTransaction, OwnStatement, Staged, StagedItem, Stager, SubmitRequest } from '../../engine/index.ts'
import { XCoreError } from '../../errors/index.ts'
import { jobId } from '../../event-log/index.ts'
import { isConnectionError, sqlState } from '../../postgres/connection.ts'
import type { Database, Statement } from '../../postgres/sql.ts'
import type { PluginConnection } from './connections.ts'
import { sqlError } from './sql-error.ts'
import { refuseTransactionControl } from './statement.ts'
import { checkedCall } from './values.ts'

export interface TransactionOptions {
  readonly plugin: string
  readonly role: string
  readonly url: string
  readonly database: Database
  readonly stager: Pick<Stager, 'stageEmit' | 'stageSubmit'>
  /** Milliseconds from its begin after which it is ended, whatever it does. */
  readonly longestMs: number
}

const ANNOUNCE: Statement = {
  name: 'plugin_transaction_announce',
  text: `insert into xcore.plugin_transactions (id, xid, role, statements) values ($1, $2::xid8, $3, $4::jsonb)`,
}
const FORGET: Statement = { name: 'plugin_transaction_forget', text: `delete from xcore.plugin_transactions where id = $1` }
const STATUS: Statement = { name: 'plugin_transaction_status', text: `select pg_xact_status($1::xid8) as status` }

const SAVEPOINT = 'xcore_part'
const STATUS_PAUSE_MS = 100
/** How long to ask what became of a commit whose answer was lost. */
const STATUS_PATIENCE_MS = 30_000

/**
 * A transaction on a connection that is logged in as the plugin's role. It is XCore that commits it, together with what XCore has to
 * write: announced on a connection of XCore's own and done in here by `xcore_plugins.apply` (docs/adr: plugin transactions).
 */
export class PluginDatabaseTransaction implements JobTransaction {
  readonly #connection: PluginConnection
  readonly #options: TransactionOptions
  readonly #timer: NodeJS.Timeout
  #staged: StagedItem[] = []
  #over = false
  #late = false

  private constructor(connection: PluginConnection, options: TransactionOptions) {
    this.#connection = connection
    this.#options = options
    this.#timer = setTimeout(() => {
      this.#late = true
      this.#abandon()
    }, options.longestMs)
    this.#timer.unref()
  }

  /** Takes over the connection, and gives it back at the end of the transaction. */
  static async begin(connection: PluginConnection, options: TransactionOptions): Promise<PluginDatabaseTransaction> {
    const transaction = new PluginDatabaseTransaction(connection, options)
    try {
      // Read committed: `apply` must see what was announced a moment before. Read-write: it writes, also for a role that may not.
      await connection.query('begin isolation level read committed read write')
      return transaction
    } catch (error) {
      transaction.#abandon()
      throw error
    }
  }

  get staged(): readonly StagedItem[] {
    return this.#staged
  }

  async run<T>(fn: (tx: Transaction) => Promise<T>): Promise<T> {
    // Also settles the isolation level: it cannot be changed any more.
    await this.#own(`savepoint ${SAVEPOINT}`)
    const before = [...this.#staged]
    const scope = { open: true, pending: new Set<Promise<unknown>>() }
    try {
      const result = await fn(this.#handle(scope))
      await Promise.all(scope.pending)
      scope.open = false
      await this.#own(`release savepoint ${SAVEPOINT}`)
      return result
    } catch (error) {
      scope.open = false
      await Promise.allSettled(scope.pending)
      this.#staged = before
      if (!this.#over)
        await this.#own(`rollback to savepoint ${SAVEPOINT}; release savepoint ${SAVEPOINT}`.split('; ')).catch(() => this.#abandon())
      throw this.#late ? this.#tooLate() : error
    }
  }

  async commit(statements: readonly OwnStatement[]): Promise<void> {
    this.#assertOpen()
    let xid: string | undefined
    try {
      if (statements.length > 0) xid = await this.#apply(statements)
      const { command } = await this.#connection.raw('commit')
      if (command !== 'COMMIT') {
        throw new XCoreError(
          'database_error',
          `The transaction was rolled back: a statement in it failed, and the error was swallowed. Let it pass.`,
        )
      }
    } catch (error) {
      // What the plugin did last is over by now; what does not answer may have committed all the same.
      if (xid !== undefined && isConnectionError(error) && (await this.#committedAfterAll(xid))) return this.#end()
      await this.rollback()
      if (this.#late) throw this.#tooLate()
      throw error instanceof StatementRefused ? error : sqlError(error, this.#options)
    }
    this.#end()
  }

  async rollback(): Promise<void> {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    await this.#connection.raw('rollback').catch(() => this.#connection.terminate())
    this.#connection.giveBack()
  }

  /** Ends it at once, whatever runs in it: the attempt was given up. */
  abort(): void {
    this.#abandon()
  }

  async #apply(statements: readonly OwnStatement[]): Promise<string> {
    const { database, role } = this.#options
    const { rows } = await this.#connection.raw('select pg_catalog.pg_current_xact_id()::pg_catalog.text as xid')
    const xid = String(rows[0]?.xid)
    const id = randomUUID()
    await database.query(ANNOUNCE, [id, xid, role, JSON.stringify(statements)])
    try {
      await this.#connection.raw('select xcore_plugins.apply($1::pg_catalog.uuid)', [id])
    } catch (error) {
      await database.query(FORGET, [id]).catch(() => {})
      throw sqlState(error) === 'XC001' && error instanceof Error ? new StatementRefused(error.message) : error
    }
    return xid
  }

  /** Asks until it is known. Throws XCoreError `database_unavailable` with `commit: unknown` when it cannot be. */
  async #committedAfterAll(xid: string): Promise<boolean> {
    this.#connection.terminate()
    const until = Date.now() + STATUS_PATIENCE_MS
    for (;;) {
      const answer = await this.#options.database.query<{ status: string | null }>(STATUS, [xid]).catch(() => undefined)
      const status = answer?.[0]?.status
      if (status === 'committed') return true
      if (status === 'aborted' || Date.now() > until) {
        if (status === 'aborted') return false
        this.#end()
        throw new XCoreError('database_unavailable', 'The database did not say whether the transaction committed.', {
          retryAfterSeconds: 1,
          details: { commit: 'unknown' },
        })
      }
      await delay(STATUS_PAUSE_MS)
    }
  }

  #handle(scope: { open: boolean; readonly pending: Set<Promise<unknown>> }): Transaction {
    const use = <T>(work: () => Promise<T>): Promise<T> => {
      if (!scope.open || this.#over) return Promise.reject(this.#late ? this.#tooLate() : closed())
      const running = work()
      scope.pending.add(running)
      const done = () => void scope.pending.delete(running)
      running.then(done, done)
      return running
    }
    const tx: Transaction = Object.freeze({
      query: <Row extends object>(sql: string, params?: readonly unknown[]) =>
        use(async () => {
          const call = checkedCall(sql, params)
          refuseTransactionControl(call.sql)
          return this.#connection.query<Row>(call.sql, call.params)
        }),
    })
    const { stager } = this.#options
    bindStage(tx, {
      emit: (request: EmitRequest) => use(async () => this.#add(await stager.stageEmit(request, this.#staged))),
      submit: (request: SubmitRequest) => use(async () => jobId(this.#add(await stager.stageSubmit(request, this.#staged)))),
    })
    return tx
  }

  #add(staged: Staged): string {
    if (!staged.known) this.#staged.push(staged.staged)
    return staged.id
  }

  async #own(statements: string | readonly string[]): Promise<void> {
    this.#assertOpen()
    for (const statement of [statements].flat()) {
      await this.#connection.raw(statement).catch((error: unknown) => {
        throw this.#late ? this.#tooLate() : this.#over ? closed() : sqlError(error, this.#options)
      })
    }
  }

  #assertOpen(): void {
    if (this.#late) throw this.#tooLate()
    if (this.#over) throw closed()
  }

  #abandon(): void {
    if (this.#over) return
    this.#connection.terminate()
    this.#end()
  }

  #end(): void {
    this.#over = true
    clearTimeout(this.#timer)
    this.#connection.giveBack()
  }

  #tooLate(): XCoreError {
    const { plugin, longestMs } = this.#options
    return new XCoreError(
      'database_error',
      `A transaction of plugin ${plugin} was ended after ${longestMs / 1000} s, the longest that one may take. Do slow work before it, or in several.`,
    )
  }
}

function closed(): XCoreError {
  return new XCoreError(
    'bad_request',
    'The transaction has ended, but its tx was used. Await everything inside the function that is given it.',
  )
}
