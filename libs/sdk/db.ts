import type { Transaction } from './context.ts'

/** A row by column name. */
export type Row = Record<string, unknown>

/**
 * The plugin's own Postgres schema: `this.getService('db')`. Names without a schema mean it.
 *
 * Parameters: `$1`, `$2`, …; text, number, boolean, bigint, Date, Buffer, null, lists of these; any other object is sent as JSON.
 * Rows: timestamptz → Date; date, time, numeric → text; bigint → number, or text beyond 2^53; json → parsed; bytea → Buffer.
 * One statement a call.
 *
 * Throws XCoreError `database_error` for what Postgres refuses (`details.sqlstate`, e.g. `23505`), `permission_denied` for what the
 * manifest or Postgres does not allow, `bad_request` for a bad call, `database_unavailable` when Postgres is away.
 */
export interface Db {
  /** Runs one statement on its own and resolves with its rows. At most 30 s. */
  query<Result extends object = Row>(sql: string, params?: readonly unknown[]): Promise<Result[]>
  /** One connection for all statements of `fn`, for settings and temporary tables; they are gone afterwards. At most 5 minutes. */
  session<T>(fn: (session: DbSession) => Promise<T>): Promise<T>
  /** Commits when `fn` resolves, rolls back when it rejects. `ctx.events.emit` and `enqueue` with `{tx}` commit with it. At most 5 minutes. */
  transaction<T>(fn: (tx: Transaction) => Promise<T>): Promise<T>
}

export interface DbSession {
  query<Result extends object = Row>(sql: string, params?: readonly unknown[]): Promise<Result[]>
  transaction<T>(fn: (tx: Transaction) => Promise<T>): Promise<T>
}

declare module './context.ts' {
  interface Services {
    readonly db: Db
  }
}

/** What Postgres refused a statement for: `details` of a `database_error`. */
export interface SqlFault {
  /** Five characters, e.g. `23505` for a unique violation: see "PostgreSQL Error Codes" in its manual. */
  readonly sqlstate: string
  readonly constraint?: string
  readonly table?: string
  readonly column?: string
  /** In the SQL, in characters from 1. */
  readonly position?: number
}

/** The fault that a `database_error` tells of; undefined for anything else that was thrown. */
export function sqlFault(thrown: unknown): SqlFault | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown) || thrown.code !== 'database_error' || !('details' in thrown)) return undefined
  return isFault(thrown.details) ? thrown.details : undefined
}

function isFault(details: unknown): details is SqlFault {
  return typeof details === 'object' && details !== null && 'sqlstate' in details
}
