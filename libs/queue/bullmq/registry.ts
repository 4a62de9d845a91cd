import { pluginName } from '../../event-log/ids.ts'
import type { PluginName } from '../../event-log/ids.ts'
import type { Sql, Statement } from '../../postgres/sql.ts'

/** Which plugins have a queue: kept in Postgres, because Redis may forget. */

const DECLARE: Statement = {
  name: 'queues_declare',
  text: `insert into xcore.queues (plugin) select unnest($1::text[]) order by 1 on conflict do nothing`,
}

const ALL: Statement = { name: 'queues_all', text: `select plugin from xcore.queues order by plugin` }

export async function declareQueues(sql: Sql, plugins: readonly PluginName[]): Promise<void> {
  if (plugins.length > 0) await sql.query(DECLARE, [plugins])
}

export async function declaredQueues(sql: Sql): Promise<PluginName[]> {
  return (await sql.query<{ plugin: string }>(ALL)).map((row) => pluginName(row.plugin))
}
