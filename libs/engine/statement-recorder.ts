import type { Statement, Tx } from '../postgres/sql.ts'
import type { OwnStatement } from './plugin-transaction.ts'

/**
 * Takes down the statements that are given to it instead of running them, so that they can run later, in a transaction that is not
 * ours. They answer with no rows: how many they must meet is said beforehand.
 */
export class StatementRecorder {
  readonly statements: OwnStatement[] = []

  /** A transaction whose statements are recorded, each of which must meet `rows` rows. */
  expecting(rows: number | null, label: string): Tx {
    const record = async <Row extends object>(text: string, params: readonly unknown[] = []): Promise<Row[]> => {
      this.statements.push({ text, params: params.map((param, index) => plain(param, label, index)), rows, label })
      return []
    }
    return { inTransaction: true, query: (statement: Statement, params) => record(statement.text, params), run: record }
  }
}

function plain(value: unknown, label: string, index: number): string | null | readonly string[] {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value) && value.every((item) => typeof item === 'string' || typeof item === 'number')) return value.map(String)
  throw new TypeError(`statement "${label}": parameter ${index + 1} cannot be carried into a plugin's transaction`)
}
