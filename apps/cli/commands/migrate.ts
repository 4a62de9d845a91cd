import { Command } from 'commander'
import { migrate } from '../../../libs/postgres/migrator.ts'
import { createLogger } from '../../../libs/telemetry/index.ts'
import { print, printJson } from '../output.ts'
import type { GlobalOptions } from '../output.ts'
import { configOf } from '../server-options.ts'
import { useDatabase } from '../use-database.ts'

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('bring the database up to date (start, api and worker also do it); safe to run several times at once')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const config = configOf(options)
      const logger = createLogger({ level: 'silent' })
      const applied = await useDatabase(config, logger, (_database, url) => migrate(url, { logger }))
      if (options.json) printJson({ applied })
      else print(applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`)
    })
}
