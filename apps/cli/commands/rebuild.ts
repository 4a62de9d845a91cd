import { Command } from 'commander'
import type { GlobalOptions } from '../output.ts'

export interface RebuildOptions extends GlobalOptions {
  readonly check?: boolean
}

export function rebuildCommand(): Command {
  return new Command('rebuild')
    .description('make the jobs table equal to the event log; works beside a running XCore')
    .option('--check', 'change nothing; exit 1 when table and log differ')
    .action(async (_options: unknown, command: Command) => {
      const { rebuildJobs } = await import('../rebuild-jobs.ts')
      await rebuildJobs(command.optsWithGlobals<RebuildOptions>())
    })
}
