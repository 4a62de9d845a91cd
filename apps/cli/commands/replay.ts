import { createInterface } from 'node:readline/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import type { Json } from '../../../libs/event-log/json.ts'
import type { ApiClient } from '../client.ts'
import { CommandFailed, UsageError } from '../exit.ts'
import { readJsonArgument } from '../json-argument.ts'
import { print, printJson } from '../output.ts'
import { createProgress } from '../progress.ts'
import { filterOf, nameOf, numberOf, receiversOf, shareOf } from '../replay-options.ts'
import type { ReplayOptions } from '../replay-options.ts'
import { PlanBody, ReplayBody, ReplayedBody, done, outcomeText, planText } from '../replay-text.ts'
import { clientOf, withServerOptions } from '../server-options.ts'

const LOOK_MS = 500
const PLAN_SECONDS = 300

export function replayCommand(): Command {
  return withServerOptions(new Command('replay'))
    .description('run finished jobs again: one by its id, or all that match; shows what it would do, and asks')
    .argument('[job]', 'the id of one job')
    .option('--plugin <name>')
    .option('--kind <kind>', 'action, event or schedule')
    .option('--name <name>', 'of the action or event')
    .option('--state <states>', 'of finished jobs (default: failed,dead)')
    .option('--code <code>', 'the error code')
    .option('--fingerprint <fingerprint>', 'of the error; see `xcore failures`')
    .option('--correlation <id>')
    .option('--plugin-version <version>', 'the version that ran it last')
    .option('--replay-id <id>', 'jobs of an earlier replay')
    .option('--source <source>', 'of events, with --to')
    .option('--since <time>', 'ISO 8601, or an age like 2h')
    .option('--until <time>', 'ISO 8601, or an age like 2h')
    .option('--where <path=value>', 'of the payload, e.g. user.id=7; may be repeated', collect)
    .option('--to <receivers>', 'deliver events, with --kind event: all, failed, PLUGIN or PLUGIN/SUBSCRIPTION')
    .option('--payload <json>', 'instead of their own; - reads it from stdin')
    .option('--force', 'take actions that are marked `replay: unsafe`')
    .option('--rate <n>', 'jobs per second (default: as fast as it goes)')
    .option('--stop-at-failures <share>', 'stop when more than this share fails, e.g. 20%')
    .option('--as <name>', 'of the replay (default: made of the filter)')
    .option('--reason <text>', 'kept in the log')
    .option('--dry-run', 'only show what it would do')
    .option('--yes', 'do not ask')
    .option('--detach', 'do not wait for the end')
    .action(async (job: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ReplayOptions>()
      await (job === undefined ? replayMany(options) : replayOne(job, options))
    })
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

async function replayOne(id: string, options: ReplayOptions): Promise<void> {
  const filter = Object.keys(filterOf(options))
  if (filter.length > 0) throw new UsageError(`replay: expected either a job's id or a filter, found ${id} and ${filter.join(', ')}`)
  if (options.dryRun) throw new UsageError('--dry-run: for filters; `xcore jobs show` tells of one job')
  const { body } = await clientOf(options).request(ReplayedBody, `/jobs/${encodeURIComponent(id)}/replay`, {
    method: 'POST',
    body: {
      ...(await payloadOf(options)),
      ...(options.reason === undefined ? {} : { reason: options.reason }),
      ...(options.force ? { force: true } : {}),
    },
  })
  if (options.json) printJson(body)
  else print(`queued ${body.job_id}\nSee it with: xcore jobs show ${body.job_id}`)
}

async function replayMany(options: ReplayOptions): Promise<void> {
  const filter = filterOf(options)
  if (Object.keys(filter).length === 0) {
    throw new UsageError(
      'replay: expected a filter, such as --plugin NAME or --code timeout, or a job’s id. For everything that failed: --state failed,dead',
    )
  }
  const rate = numberOf('--rate', options.rate)
  const stopAt = shareOf('--stop-at-failures', options.stopAtFailures)
  const client = clientOf(options)
  const what: Record<string, Json> = {
    filter,
    ...(options.to === undefined ? {} : { to: receiversOf(options.to) }),
    ...(options.force ? { force: true } : {}),
    ...(await payloadOf(options)),
  }
  const { body: plan } = await client.request(PlanBody, '/replays', {
    method: 'POST',
    body: { ...what, dry_run: true },
    timeoutSeconds: PLAN_SECONDS,
  })
  if (options.dryRun && options.json) return printJson(plan)
  if (!options.json) print(planText(plan))
  if (options.dryRun) return
  if (plan.to_replay === 0) throw new CommandFailed('there is nothing to replay', { code: 'nothing_to_replay' })
  if (!(await agreed(plan, options))) throw new CommandFailed('nothing was replayed', { code: 'cancelled' })
  const { body: started } = await client.request(ReplayBody, '/replays', {
    method: 'POST',
    body: {
      ...what,
      name: options.as ?? nameOf(filter),
      reason: options.reason ?? 'started with `xcore replay`',
      ...(rate === undefined ? {} : { rate_per_second: rate }),
      ...(stopAt === undefined ? {} : { stop_at_failures: stopAt }),
    },
    timeoutSeconds: PLAN_SECONDS,
  })
  if (!options.json) print(`\nreplay ${started.replay_id}; hold it with: xcore replays pause ${started.replay_id}`)
  const ended = options.detach ? started : await follow(client, started, options.json === true)
  if (options.json) printJson(ended)
  else if (!options.detach) print(`${ended.state}: ${outcomeText(ended)}`)
  if (!options.detach && (ended.state !== 'completed' || ended.failed > 0)) {
    throw new CommandFailed(`the replay is ${ended.state}: ${outcomeText(ended)}. What failed: xcore jobs list --state failed,dead`, {
      code: 'replay_failed',
    })
  }
}

async function payloadOf(options: ReplayOptions): Promise<{ payload?: Json }> {
  return options.payload === undefined ? {} : { payload: await readJsonArgument(options.payload) }
}

async function agreed(plan: PlanBody, options: ReplayOptions): Promise<boolean> {
  if (options.yes) return true
  if (options.json === true || !process.stdin.isTTY || !process.stdout.isTTY) {
    throw new UsageError(`replay: ${plan.to_replay} to replay, but nobody is there to be asked. Say --yes, or only look with --dry-run.`)
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return /^y(es)?$/i.test((await terminal.question(`Replay ${plan.to_replay}? [y/N] `)).trim())
  } finally {
    terminal.close()
  }
}

/** Shows progress until the last job has finished. Whoever interrupts it stops looking, not the replay. */
async function follow(client: ApiClient, started: ReplayBody, quiet: boolean): Promise<ReplayBody> {
  const progress = createProgress('Replaying')
  let replay = started
  try {
    for (;;) {
      if (!quiet) progress.update(done(replay), Math.max(replay.total, done(replay)))
      if (replay.state !== 'running' && replay.state !== 'paused' && replay.queued === 0) return replay
      await delay(LOOK_MS)
      replay = (await client.request(ReplayBody, `/replays/${replay.replay_id}`)).body
    }
  } finally {
    progress.end()
  }
}
