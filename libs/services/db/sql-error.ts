import { DatabaseError } from 'pg'
import { XCoreError } from '../../errors/index.ts'
import { databaseError, isConnectionError } from '../../postgres/connection.ts'

/** 42501: the role lacks the privilege. 25006: a write in a read-only transaction. */
const DENIED = /^(42501|25006)$/

/**
 * What a statement of a plugin failed of, as the plugin and its callers may see it: message and SQLSTATE, names of constraint, table
 * and column, position in the SQL. Values of rows (Postgres's `detail`) stay in the cause, which only the log shows.
 */
export function sqlError(error: unknown, where: { readonly plugin: string; readonly url: string; readonly sql?: string }): unknown {
  if (error instanceof XCoreError) return error
  // The role's own limit and its own timeouts are no fault of the server.
  if (error instanceof DatabaseError && !isLostConnection(error)) return refused(error, where)
  return databaseError(error, where.url)
}

function isLostConnection(error: DatabaseError): boolean {
  return isConnectionError(error) && error.code !== '25P03' && error.code !== '53300'
}

function refused(error: DatabaseError, where: { readonly plugin: string; readonly sql?: string }): XCoreError {
  const { code = '', constraint, table, column, position } = error
  const at = position === undefined || where.sql === undefined ? '' : ` at ${lineAndColumn(where.sql, Number(position))}`
  const denied = DENIED.test(code)
  return new XCoreError(
    denied ? 'permission_denied' : 'database_error',
    `Postgres refused a statement of plugin ${where.plugin}${at}: ${error.message} (SQLSTATE ${code})${remedyFor(code)}`,
    {
      cause: error,
      details: {
        sqlstate: code,
        ...(constraint === undefined ? {} : { constraint }),
        ...(table === undefined ? {} : { table }),
        ...(column === undefined ? {} : { column }),
        ...(position === undefined ? {} : { position: Number(position) }),
      },
    },
  )
}

function remedyFor(code: string): string {
  switch (code) {
    case '42501':
      return '. A plugin reaches its own schema only, and needs the permission to write for anything but SELECT.'
    case '25006':
      return '. The manifest allows this plugin to read its schema, not to write it.'
    case '57014':
      return '. A statement may take 30 s; narrow it down, or add an index.'
    case '25P03':
      return '. A transaction may wait 60 s for its next statement; do slow work before it or after it.'
    case '53300':
      return '. The plugin’s role has no more connections; hold sessions and transactions for a shorter time.'
    case '42601':
      return '. One statement a call, with values as $1, $2, ….'
    default:
      return ''
  }
}

/** `line 2, column 5` of a position in characters, from 1. Pure. */
export function lineAndColumn(sql: string, position: number): string {
  const before = Array.from(sql).slice(0, Math.max(0, position - 1))
  const line = before.filter((character) => character === '\n').length + 1
  return `line ${line}, column ${before.length - before.lastIndexOf('\n')}`
}
