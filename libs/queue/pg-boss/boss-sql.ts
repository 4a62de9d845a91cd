import { createHash } from 'node:crypto'
import type { Sql } from '../../postgres/sql.ts'

/** What pg-boss asks of a database it does not own. */
export interface BossDatabase {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: object[] }>
}

/**
 * Lets pg-boss run its statements through our connection or transaction (its `db` option).
 *
 * `prepared`: its heartbeat has one text per queue, so it is prepared once per connection. Its fetch carries the limit in the text and is
 * left unnamed. Rows are put in and taken out by write-rows.ts.
 */
export function bossSql(sql: Sql, prepared: boolean): BossDatabase {
  return {
    executeSql: async (text, values) => ({
      rows: prepared ? await sql.query({ name: nameOf(text), text }, values ?? []) : await sql.run(text, values ?? []),
    }),
  }
}

const names = new Map<string, string>()

// Bounded by the number of queues times the few statements that are prepared.
function nameOf(text: string): string {
  const known = names.get(text)
  if (known !== undefined) return known
  const name = `pgboss_${createHash('sha1').update(text).digest('hex').slice(0, 24)}`
  names.set(text, name)
  return name
}
