import { Command } from 'commander'
import { print, printJson } from '../output.ts'
import type { GlobalOptions } from '../output.ts'
import { configOf } from '../server-options.ts'

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('bring the database up to date (start, api and worker also do it); safe to run several times at once')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const applied = await migrateConfigured(options)
      if (options.json) printJson({ applied })
      else print(applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`)
    })
}

async function migrateConfigured(options: GlobalOptions): Promise<string[]> {
  const config = configOf(options)
  const [{ migrate }, { createLogger }, { useDatabase }] = await Promise.all([
    import('../../../libs/postgres/migrator.ts'),
    import('../../../libs/telemetry/logger.ts'),
    import('../use-database.ts'),
  ])
  const logger = createLogger({ level: 'silent' })
  return useDatabase(config, logger, (_database, url) => migrate(url, { logger }))
}
