import { Type } from 'typebox'
import type { Db, DbSession, Transaction } from '@xcore/sdk'
import { stageOf } from '../../../../engine/plugin-transaction.ts'
import { XCoreError, messageOf } from '../../../../errors/index.ts'
import { isFunction } from '../../../narrowing.ts'
import type { AttemptTransaction } from '../../trusted/job-transaction.ts'
import { fromRich, toRich } from '../wire/rich.ts'
import { Emit, Submit, emitRequest, operation, submitRequest } from './calls.ts'
import type { CallContext, Operation } from './calls.ts'
import type { Work } from './end.ts'

/** Something of the database that the sandbox holds open, by number. */
interface Open {
  readonly work: Work
  readonly query: Transaction['query']
  /** Of a transaction: what `{tx}` stands for. */
  readonly tx: Transaction | null
  readonly session: DbSession | null
  readonly end: (commit: boolean) => Promise<void>
}

const closed = { additionalProperties: false } as const
const Handle = Type.Integer({ minimum: 1 })
const Query = Type.Object({ sql: Type.String({ maxLength: 1_000_000 }), params: Type.Unknown() }, closed)
const Begin = Type.Object(
  {
    kind: Type.Union([Type.Literal('job'), Type.Literal('transaction'), Type.Literal('session')]),
    parent: Type.Union([Type.Null(), Handle]),
  },
  closed,
)
/** Of one sandbox; each holds a connection. */
const MAX_OPEN = 20

class RolledBack extends Error {}

export interface DatabaseContext extends CallContext {
  readonly db: () => unknown
  /** null: the work is no job. */
  readonly transactionOf: (work: Work) => AttemptTransaction | null
}

/** `getService('db')` and `job.transaction`: what is open stays in the host, bound to the work that opened it, and ends with it. */
export function databaseOperations(context: DatabaseContext): Readonly<Record<string, Operation>> {
  const open = new Map<number, Open>()
  let last = 0
  /** That wait for a connection. */
  let opening = 0

  function find(handle: number, work: Work): Open {
    const found = open.get(handle)
    if (found?.work === work) return found
    throw new XCoreError('bad_request', 'The transaction or session has ended, but it was used. Await everything inside its function.')
  }

  /** Opens by calling `run` with a function that ends when the sandbox says so. Resolves with the handle once it is open. */
  function begin<Opened extends { query: Transaction['query'] }>(
    work: Work,
    run: (fn: (opened: Opened) => Promise<void>) => Promise<unknown>,
    parts: (opened: Opened) => Pick<Open, 'tx' | 'session'>,
  ): Promise<number> {
    if (open.size + opening >= MAX_OPEN)
      throw new XCoreError('rate_limit_exceeded', `db: expected at most ${MAX_OPEN} open transactions and sessions, found one more`, {
        retryAfterSeconds: 1,
      })
    const handle = ++last
    const ended = Promise.withResolvers<void>()
    ended.promise.catch(() => {})
    const opened = Promise.withResolvers<number>()
    opening += 1
    const isOpening = () => void (opening -= 1)
    opened.promise.then(isOpening, isOpening)
    const over = () => ended.reject(new RolledBack('the handler ended before its transaction'))
    const ran = run(async (found) => {
      if (work.signal.aborted) throw new RolledBack('the handler has ended')
      const end = async (commit: boolean): Promise<void> => {
        open.delete(handle)
        if (commit) ended.resolve()
        else ended.reject(new RolledBack('rolled back by the plugin'))
        await ran.catch((thrown: unknown) => {
          if (!(thrown instanceof RolledBack)) throw thrown
        })
      }
      open.set(handle, { work, query: (sql, params) => found.query(sql, params), ...parts(found), end })
      work.signal.addEventListener('abort', over, { once: true })
      opened.resolve(handle)
      await ended.promise
    }).finally(() => {
      work.signal.removeEventListener('abort', over)
      open.delete(handle)
    })
    ran.catch((thrown: unknown) => opened.reject(thrown instanceof RolledBack ? new XCoreError('bad_request', messageOf(thrown)) : thrown))
    return opened.promise
  }

  const asTransaction = (tx: Transaction) => ({ tx, session: null })
  const asSession = (session: DbSession) => ({ tx: null, session })
  const dbOf = (): Db => {
    const found = context.db()
    if (isDb(found)) return found
    throw new XCoreError('service_unknown', 'getService: this host has no db service')
  }

  return {
    'db.query': operation('db.query', Query, async ({ sql, params }) => toRich(await dbOf().query(sql, list(params)))),
    'tx.begin': operation('db', Begin, async ({ kind, parent }, work) => {
      if (kind === 'job') {
        const transaction = context.transactionOf(work)
        if (transaction === null) throw new XCoreError('bad_request', 'job.transaction: expected a job, found a route or a hook')
        return begin<Transaction>(work, (fn) => transaction.run(fn), asTransaction)
      }
      if (parent !== null) {
        const { session } = find(parent, work)
        if (session === null || kind !== 'transaction')
          throw new XCoreError('bad_request', 'db: expected a transaction inside of a session')
        return begin<Transaction>(work, (fn) => session.transaction(fn), asTransaction)
      }
      if (kind === 'transaction') return begin<Transaction>(work, (fn) => dbOf().transaction(fn), asTransaction)
      return begin<DbSession>(work, (fn) => dbOf().session(fn), asSession)
    }),
    'tx.query': operation('query', Type.Object({ handle: Handle, ...Query.properties }, closed), async ({ handle, sql, params }, work) =>
      toRich(await find(handle, work).query(sql, list(params))),
    ),
    'tx.end': operation('db', Type.Object({ handle: Handle, commit: Type.Boolean() }, closed), async ({ handle, commit }, work) =>
      find(handle, work).end(commit),
    ),
    'tx.emit': operation('events.emit', Type.Object({ handle: Handle, ...Emit.properties }, closed), async ({ handle, ...args }, work) =>
      stage(find(handle, work)).emit(emitRequest(context, args, work)),
    ),
    'tx.submit': operation('enqueue', Type.Object({ handle: Handle, ...Submit.properties }, closed), async ({ handle, ...args }, work) =>
      stage(find(handle, work)).submit(submitRequest(context, args, work)),
    ),
  }
}

function stage({ tx }: Open) {
  const found = stageOf(tx)
  if (found === undefined) throw new XCoreError('bad_request', 'tx: expected a transaction, found a session')
  return found
}

function list(params: unknown): readonly unknown[] {
  let decoded: unknown
  try {
    decoded = fromRich(params)
  } catch (thrown) {
    throw new XCoreError('bad_request', `query: ${messageOf(thrown)}`)
  }
  if (Array.isArray(decoded)) return decoded
  throw new XCoreError('bad_request', 'query: expected a list of parameters ([value, …]) as second argument')
}

function isDb(value: unknown): value is Db {
  return (
    typeof value === 'object' && value !== null && isFunction(Reflect.get(value, 'query')) && isFunction(Reflect.get(value, 'transaction'))
  )
}
