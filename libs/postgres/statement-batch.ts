import { Query } from 'pg'
import type { Connection, PoolClient, QueryResult } from 'pg'
import type { Statement } from './sql.ts'

export interface BatchStatement {
  /** Without a name it is parsed each time. */
  readonly statement: Statement | { readonly text: string }
  readonly params: readonly unknown[]
}

/** What a connection knows our statements by, and their texts; a batch keeps names of its own, apart from those of `pg`. */
const prepared = new WeakMap<Connection, Map<string, string>>()

/**
 * Runs the statements in one transaction that leaves in one packet and is answered in one: several of them before a single Sync are what
 * Postgres calls an implicit transaction, so there is no BEGIN or COMMIT to parse, to answer and to wake up for. When one fails, the server
 * skips the rest and rolls back. Rejects with the first error; resolves, once committed, with each statement's rows.
 */
export async function runBatch(client: PoolClient, statements: readonly BatchStatement[]): Promise<object[][]> {
  const results = await new Promise<QueryResult<object>[]>((resolve, reject) => {
    client.query(
      new StatementBatch(client.connection, statements, (error, answered) => (error ? reject(error) : resolve([answered].flat()))),
    )
  })
  return results.map(({ rows }) => rows)
}

type Answered = QueryResult<object> | QueryResult<object>[]

/** One query to `pg`, whose own reading of several results it uses; only what is sent differs. */
class StatementBatch extends Query<object> {
  readonly #statements: readonly { readonly name: string; readonly text: string; readonly values: (string | null)[] }[]

  constructor(
    connection: Connection,
    statements: readonly BatchStatement[],
    answer: (error: Error | null | undefined, answered: Answered) => void,
  ) {
    const known = prepared.get(connection) ?? new Map<string, string>()
    prepared.set(connection, known)
    super('', (error, answered) => {
      if (!error) for (const { name, text } of this.#statements) known.set(name, text)
      answer(error, answered)
    })
    // Before anything is sent: a value that cannot be sent must not leave half a transaction on its way.
    this.#statements = statements.map(({ statement, params }) => ({
      name: 'name' in statement ? `batch.${statement.name}` : '',
      text: statement.text,
      values: params.map(wireText),
    }))
  }

  override submit = (connection: Connection): null => {
    const known = prepared.get(connection)
    connection.stream.cork()
    try {
      for (const { name, text, values } of this.#statements) {
        if (name === '' || known?.get(name) !== text) {
          // It may be there, from a batch that failed or with another text; closing what is not there is no error.
          if (name !== '') connection.close({ type: 'S', name }, true)
          connection.parse({ name, text, types: [] }, true)
        }
        connection.bind({ statement: name, values }, true)
        connection.describe({ type: 'P' }, true)
        connection.execute({}, true)
      }
      connection.sync()
    } finally {
      connection.stream.uncork()
    }
    return null
  }
}

/** A parameter as Postgres reads it in text. Throws TypeError for what no statement of ours has. */
export function wireText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (Array.isArray(value)) return `{${value.map(element).join(',')}}`
  return scalar(value)
}

function element(value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  if (typeof value === 'number') return String(value)
  return `"${scalar(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

function scalar(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (value instanceof Date) return value.toISOString()
  throw new TypeError('A parameter of a batch must be a text, a number, a boolean, a date, null or a list of these.')
}
