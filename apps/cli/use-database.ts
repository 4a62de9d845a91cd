import { join } from 'node:path'
import type { Config } from '../../libs/config/index.ts'
import { createDatabase } from '../../libs/postgres/database.ts'
import { startEmbedded } from '../../libs/postgres/embedded.ts'
import type { Database } from '../../libs/postgres/sql.ts'
import type { Logger } from '../../libs/telemetry/index.ts'

/** Where the embedded server of this config keeps its data. */
export function embeddedFolder(config: Config): string {
  return join(config.dataDir, 'postgres')
}

/** Runs `use` on the configured database; without `database.url` the embedded server is started for it and stopped after it. */
export async function useDatabase<T>(config: Config, logger: Logger, use: (database: Database, url: string) => Promise<T>): Promise<T> {
  await using stack = new AsyncDisposableStack()
  let url = config.database.url
  if (url === null) {
    const server = await startEmbedded({ dataDir: embeddedFolder(config), logger })
    stack.defer(() => server.stop())
    url = server.url
  }
  const database = createDatabase({ url, applicationName: 'xcore cli', max: 2, statementTimeoutMs: 0, logger })
  stack.defer(() => database.close())
  await database.ready()
  return await use(database, url)
}
