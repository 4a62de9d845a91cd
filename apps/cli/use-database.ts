import { join } from 'node:path'
import type { Config } from '../../libs/config/index.ts'
import { XCoreError } from '../../libs/errors/index.ts'
import { createDatabase } from '../../libs/postgres/database.ts'
import { startEmbedded } from '../../libs/postgres/embedded.ts'
import { urlOfRunning } from '../../libs/postgres/embedded/running.ts'
import type { Database } from '../../libs/postgres/sql.ts'
import type { Logger } from '../../libs/telemetry/index.ts'

/** Where the embedded server of this config keeps its data. */
export function embeddedFolder(config: Config): string {
  return join(config.dataDir, 'postgres')
}

/**
 * Runs `use` on the configured database. Without `database.url` that is the embedded server: the one that a running `xcore start`
 * has, else it is started for this and stopped after it.
 */
export async function useDatabase<T>(config: Config, logger: Logger, use: (database: Database, url: string) => Promise<T>): Promise<T> {
  await using stack = new AsyncDisposableStack()
  const url = config.database.url ?? (await openEmbedded(stack, embeddedFolder(config), logger))
  const database = createDatabase({ url, applicationName: 'xcore cli', max: 4, statementTimeoutMs: 0, logger })
  stack.defer(() => database.close())
  await database.ready()
  return await use(database, url)
}

async function openEmbedded(stack: AsyncDisposableStack, dataDir: string, logger: Logger): Promise<string> {
  try {
    const server = await startEmbedded({ dataDir, logger })
    stack.defer(() => server.stop())
    return server.url
  } catch (error) {
    // The error names the process that has the folder; its server takes connections from us, too.
    const running = error instanceof XCoreError && typeof error.details['pid'] === 'number' ? await urlOfRunning(dataDir) : undefined
    if (running === undefined) throw error
    return running
  }
}
