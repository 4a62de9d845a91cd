import { systemClock } from '../../libs/engine/clock.ts'
import { retentionCutoff } from '../../libs/event-log/partitions.ts'
import { rebuild } from '../../libs/event-log/rebuild.ts'
import type { RebuildReport } from '../../libs/event-log/rebuild.ts'
import { migrate } from '../../libs/postgres/migrator.ts'
import type { Database } from '../../libs/postgres/sql.ts'
import { createLogger } from '../../libs/telemetry/logger.ts'
import type { RebuildOptions } from './commands/rebuild.ts'
import { CommandFailed } from './exit.ts'
import { print, printJson } from './output.ts'
import { createProgress } from './progress.ts'
import { configOf } from './server-options.ts'
import { useDatabase } from './use-database.ts'

/** `xcore rebuild`, with its progress on a terminal. */
export async function rebuildJobs(options: RebuildOptions): Promise<void> {
  const config = configOf(options)
  const logger = createLogger({ level: 'silent' })
  const report = await useDatabase(config, logger, async (database, url) => {
    await migrate(url, { logger })
    const progress = createProgress('Rebuilding')
    const total = process.stderr.isTTY ? await countEvents(database) : 0
    try {
      return await rebuild(database, {
        cutoff: retentionCutoff(systemClock.now(), config.retention.days),
        apply: options.check !== true,
        onProgress: (events) => progress.update(events, Math.max(events, total)),
      })
    } finally {
      progress.end()
    }
  })
  if (options.json) printJson(report)
  else print(reportText(report, options.check === true))
  if (options.check && differences(report) > 0)
    throw new CommandFailed('the jobs table differs from the log: run `xcore rebuild`', { code: 'different' })
}

async function countEvents(database: Database): Promise<number> {
  const [row] = await database.run<{ events: number }>('select count(*)::int as events from xcore.event_log')
  return row?.events ?? 0
}

function differences({ missing, different, surplus }: RebuildReport): number {
  return missing + different + surplus
}

function reportText(report: RebuildReport, checkOnly: boolean): string {
  const read = `${report.jobs} jobs from ${report.events} log events`
  const orphans = report.orphans > 0 ? `\n${report.orphans} log events belong to jobs that are past retention` : ''
  if (differences(report) === 0) return `${read}: the table was equal to the log${orphans}`
  const what = `${report.missing} were missing, ${report.different} differed, ${report.surplus} were surplus`
  return `${read}: ${what}${checkOnly ? '' : '; corrected'}${orphans}`
}
