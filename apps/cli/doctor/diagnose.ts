import { stat } from 'node:fs/promises'
import type { Config } from '../../../libs/config/index.ts'
import { messageOf } from '../../../libs/errors/index.ts'
import { pendingMigrations } from '../../../libs/postgres/migrator.ts'
import { createLogger } from '../../../libs/telemetry/index.ts'
import { urlOfConfig } from '../server-options.ts'
import { embeddedFolder, useDatabase } from '../use-database.ts'
import { checkClock, checkLongTransactions, checkMigrations, checkVersion, finding } from './database-checks.ts'
import { fail, ok } from './finding.ts'
import type { Finding } from './finding.ts'
import { checkGroups, checkQueue } from './queue-checks.ts'
import { checkAll } from '../plugin-check.ts'
import { checkOrphanedJobs, checkPartitions, checkWorkers } from './platform-checks.ts'
import { checkSandbox } from './sandbox-check.ts'
import { checkDataDir, checkNode, checkPlugins, checkPort } from './host-checks.ts'

/** Looks at everything that XCore needs. Starts the embedded server only when it has been used before and nobody runs it; changes no data. */
export async function diagnose(config: Config): Promise<readonly Finding[]> {
  const { host, port } = config.http
  return [
    checkNode(process.version),
    ...(await checkPlugins(config.plugins.dir)),
    ...(await checkSandbox(config.plugins.dir, config.sandbox.require)),
    await checkPort(host, port, port === 0 ? undefined : urlOfConfig(config)),
    ...(await databaseFindings(config)),
    ...(await checkQueue(config)),
    ...(await checkGroups(config)),
  ]
}

async function databaseFindings(config: Config): Promise<Finding[]> {
  if (config.database.url !== null)
    return askDatabase(config, 'Check DATABASE_URL: host, port, name, user and password, and that the server runs.')
  const folder = await checkDataDir(config.dataDir)
  if (folder.status === 'fail') return [folder]
  const used = await stat(embeddedFolder(config)).catch(() => undefined)
  if (used === undefined) return [folder, ok('database', 'the embedded server will be set up at the first start')]
  return [folder, ...(await askDatabase(config, 'The message tells what is wrong with the data folder; `xcore start` uses the same one.'))]
}

async function askDatabase(config: Config, remedy: string): Promise<Finding[]> {
  try {
    return await useDatabase(config, createLogger({ level: 'silent' }), async (database, url) => {
      const migrations = await finding('migrations', 'Read the message; never edit a landed migration.', async () =>
        checkMigrations(await pendingMigrations(url)),
      )
      const plugins = (await checkAll(config.plugins.dir).catch(() => [])).map((check) => check.name)
      // Before the migrations there are no tables to look at.
      const tables =
        migrations.status !== 'ok'
          ? []
          : [
              await finding('log partitions', remedy, () => checkPartitions(database, Date.now())),
              await finding('workers', remedy, () => checkWorkers(database)),
              await finding('orphaned jobs', remedy, () => checkOrphanedJobs(database, plugins)),
            ]
      return [
        ok('database', config.database.url === null ? 'the embedded server answers' : 'reachable'),
        await finding('postgres', remedy, () => checkVersion(database)),
        migrations,
        await finding('clock', remedy, () => checkClock(database)),
        await finding('transactions', remedy, () => checkLongTransactions(database)),
        ...tables,
      ]
    })
  } catch (error) {
    return [fail('database', messageOf(error), remedy)]
  }
}
