import { Command } from 'commander'
import { FRAMEWORK_VERSION } from '../../libs/manifest/framework-version.ts'
import { callCommand } from './commands/call.ts'
import { doctorCommand } from './commands/doctor.ts'
import { emitCommand } from './commands/emit.ts'
import { jobsCommand } from './commands/jobs.ts'
import { migrateCommand } from './commands/migrate.ts'
import { pluginCommand } from './commands/plugin.ts'
import { rebuildCommand } from './commands/rebuild.ts'
import { apiCommand, startCommand, workerCommand } from './commands/services.ts'
import { statusCommand } from './commands/status.ts'

const COMMANDS = [
  startCommand,
  apiCommand,
  workerCommand,
  migrateCommand,
  doctorCommand,
  statusCommand,
  callCommand,
  emitCommand,
  pluginCommand,
  jobsCommand,
  rebuildCommand,
]

// The parts that take long to load (servers, database, manifests) are imported by the commands that use them, when they run.

/** The whole command line. Errors are thrown, never `process.exit`: CommanderError for usage, else what the command threw. */
export function createProgram(): Command {
  const program = new Command('xcore')
    .description('Runs plugins whose actions and events are durable jobs in Postgres.')
    .version(FRAMEWORK_VERSION)
    .option('--json', 'machine-readable output')
    .option('--config <file>', 'settings (default: xcore.yaml in the working directory, if there is one)')
    .configureHelp({ showGlobalOptions: true })
  for (const create of COMMANDS) program.addCommand(create())
  for (const command of [program, ...descendants(program)]) command.exitOverride().showHelpAfterError('(see --help)')
  return program
}

function descendants(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...descendants(child)])
}
