import { XCoreError } from '../../errors/index.ts'

/**
 * Statements that would end the transaction which XCore opened, and with it the promise that all of it commits or nothing.
 * The server is always sent one statement at a time, and refuses these inside functions and DO blocks by itself.
 */
const ENDS_TRANSACTION =
  /^(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(work\s+|transaction\s+)?to\b))(?![\w$])/i

/** The keyword that makes `sql` one of them; undefined: it is none. Pure. */
export function transactionControl(sql: string): string | undefined {
  return ENDS_TRANSACTION.exec(withoutLeadingComments(sql))?.[1]?.toUpperCase()
}

/** Throws XCoreError `bad_request`. */
export function refuseTransactionControl(sql: string): void {
  const found = transactionControl(sql)
  if (found === undefined) return
  throw new XCoreError(
    'bad_request',
    `tx.query: expected a statement inside the transaction, found ${found}. It commits when its function resolves and rolls back when it throws; SAVEPOINT and ROLLBACK TO work.`,
  )
}

function withoutLeadingComments(sql: string): string {
  let at = 0
  for (;;) {
    while (at < sql.length && (/\s/.test(sql.charAt(at)) || sql.charAt(at) === ';')) at += 1
    if (sql.startsWith('--', at)) {
      const end = sql.indexOf('\n', at)
      at = end === -1 ? sql.length : end + 1
    } else if (sql.startsWith('/*', at)) at = endOfComment(sql, at)
    else return withSpacedComments(sql.slice(at, at + 400))
  }
}

/** Block comments nest in SQL. */
function endOfComment(sql: string, start: number): number {
  let depth = 0
  let at = start
  while (at < sql.length) {
    if (sql.startsWith('/*', at)) {
      depth += 1
      at += 2
    } else if (sql.startsWith('*/', at)) {
      depth -= 1
      at += 2
      if (depth === 0) return at
    } else at += 1
  }
  return at
}

/** A comment between the keywords counts as a space. */
function withSpacedComments(sql: string): string {
  return sql.replace(/\/\*[^*]*\*\//g, ' ').replace(/--[^\n]*\n/g, ' ')
}
