import type { Db, DbSession, Transaction } from '@xcore/sdk'
import { bindStage } from '../../../../engine/plugin-transaction.ts'
import type { EmitRequest, SubmitRequest } from '../../../../engine/port.ts'
import type { JobTransaction } from '../../../../engine/plugin-transaction.ts'
import { jobId } from '../../../../event-log/index.ts'
import { fromRich, toRich } from '../wire/rich.ts'
import { emitted, submitted } from './platform.ts'
import { record } from './platform.ts'
import type { Remote } from './remote.ts'

type Kind = 'job' | 'transaction' | 'session'

/** `getService('db')`: transactions and sessions are open in the host, statements go there one by one. */
export function remoteDb(remote: Remote): Db {
  return Object.freeze<Db>({
    query: (sql: string, params: readonly unknown[] = []) => rows(remote.call('db.query', { sql, params: toRich(params) })),
    session: (fn) => within(remote, 'session', null, (handle) => fn(sessionOf(remote, handle))),
    transaction: (fn) => within(remote, 'transaction', null, (handle) => fn(transactionOf(remote, handle))),
  })
}

/** What `job.transaction` runs in. That it commits with the outcome, or not, is the host's to do. */
export function remoteJobTransaction(remote: Remote): () => Promise<JobTransaction> {
  return async () => ({
    staged: [],
    run: (fn) => within(remote, 'job', null, (handle) => fn(transactionOf(remote, handle))),
    commit: async () => {},
    rollback: async () => {},
    abort: () => {},
  })
}

async function within<T>(remote: Remote, kind: Kind, parent: number | null, fn: (handle: number) => Promise<T>): Promise<T> {
  const handle = Number(await remote.call('tx.begin', { kind, parent }))
  let result: T
  try {
    result = await fn(handle)
  } catch (thrown) {
    await remote.call('tx.end', { handle, commit: false })
    throw thrown
  }
  await remote.call('tx.end', { handle, commit: true })
  return result
}

function transactionOf(remote: Remote, handle: number): Transaction {
  const tx: Transaction = Object.freeze({ query: queryOf(remote, handle) })
  bindStage(tx, {
    emit: async (request: EmitRequest) => String(await remote.call('tx.emit', { handle, ...emitted(request) })),
    submit: async (request: SubmitRequest) => jobId(String(await remote.call('tx.submit', { handle, ...submitted(request) }))),
  })
  return tx
}

function sessionOf(remote: Remote, handle: number): DbSession {
  return Object.freeze<DbSession>({
    query: queryOf(remote, handle),
    transaction: (fn) => within(remote, 'transaction', handle, (inner) => fn(transactionOf(remote, inner))),
  })
}

function queryOf(remote: Remote, handle: number): <Row extends object>(sql: string, params?: readonly unknown[]) => Promise<Row[]> {
  return (sql, params = []) => rows(remote.call('tx.query', { handle, sql, params: toRich(params) }))
}

async function rows<Row extends object>(answer: Promise<unknown>): Promise<Row[]> {
  const decoded: unknown = fromRich(await answer)
  return Array.isArray(decoded) ? decoded.filter((row): row is Row => row === record(row)) : []
}
