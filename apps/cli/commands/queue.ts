import { Command } from 'commander'
import { QUEUE_DRIVERS } from '../../../libs/config/index.ts'
import type { QueueDriver } from '../../../libs/config/index.ts'
import { createLogger } from '../../../libs/telemetry/index.ts'
import { UsageError } from '../exit.ts'
import { print, printJson } from '../output.ts'
import type { GlobalOptions } from '../output.ts'
import { createProgress } from '../progress.ts'
import { configOf } from '../server-options.ts'
import { useDatabase } from '../use-database.ts'

interface MoveOptions extends GlobalOptions {
  readonly to: string
}

export function queueCommand(): Command {
  return new Command('queue').description('the queues that jobs wait on').addCommand(
    new Command('move')
      .description('put waiting, delayed and retrying jobs on the queue of another driver, while all processes are stopped')
      .requiredOption('--to <driver>', QUEUE_DRIVERS.join(' or '))
      .action(async (_options: unknown, command: Command) => {
        await move(command.optsWithGlobals<MoveOptions>())
      }),
  )
}

async function move(options: MoveOptions): Promise<void> {
  const to = driverNamed(options.to)
  const config = configOf(options)
  const logger = createLogger({ level: 'silent' })
  const { moveBetweenQueues } = await import('../compose.ts')
  const moved = await useDatabase(config, logger, async (database, url) => {
    const progress = createProgress('Moving')
    try {
      return await moveBetweenQueues({ config, databaseUrl: url, database, logger, to, onProgress: progress.update })
    } finally {
      progress.end()
    }
  })
  if (options.json) printJson({ to, moved })
  else print(`${moved} jobs are on ${to}. Set queue.driver to ${to} for all processes, and start them.`)
}

function driverNamed(text: string): QueueDriver {
  const found = QUEUE_DRIVERS.find((driver) => driver === text)
  if (found === undefined) throw new UsageError(`--to: expected ${QUEUE_DRIVERS.join(' or ')}, found ${text}`)
  return found
}
