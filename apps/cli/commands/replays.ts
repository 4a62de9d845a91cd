import { Command } from 'commander'
import { print, printJson } from '../output.ts'
import { FailuresBody, ReplayBody, ReplayListBody, failureTable, replayTable, replayText } from '../replay-text.ts'
import { clientOf, withServerOptions } from '../server-options.ts'
import type { ServerOptions } from '../server-options.ts'

const CHANGES = [
  ['pause', 'hold a bulk replay; what is queued goes on'],
  ['resume', 'let a paused one go on'],
  ['cancel', 'end it; what waits on the queue is cancelled'],
] as const

interface ChangeOptions extends ServerOptions {
  readonly reason?: string
}

/** `xcore replays`: the list; with a verb one of them. */
export function replaysCommand(): Command {
  const replays = new Command('replays').description('look at bulk replays, pause, resume and cancel them')
  const list = withServerOptions(replays.command('list', { isDefault: true })).description('bulk replays, newest first')
  list.action(() => listReplays(list.optsWithGlobals<ServerOptions>()))
  const show = withServerOptions(replays.command('show')).description('one bulk replay and how far it is').argument('<id>')
  show.action((id: string) => showOne(id, show.optsWithGlobals<ServerOptions>()))
  for (const [verb, description] of CHANGES) {
    const change = withServerOptions(replays.command(verb))
      .description(description)
      .argument('<id>')
      .option('--reason <text>', 'kept in the log')
    change.action((id: string) => apply(verb, id, change.optsWithGlobals<ChangeOptions>()))
  }
  return replays
}

async function listReplays(options: ServerOptions): Promise<void> {
  const { body } = await clientOf(options).request(ReplayListBody, '/replays')
  if (options.json) printJson(body)
  else print(body.replays.length === 0 ? 'no replays' : replayTable(body.replays))
}

async function showOne(id: string, options: ServerOptions): Promise<void> {
  const { body } = await clientOf(options).request(ReplayBody, `/replays/${encodeURIComponent(id)}`)
  if (options.json) printJson(body)
  else print(replayText(body))
}

async function apply(verb: string, id: string, options: ChangeOptions): Promise<void> {
  const { body } = await clientOf(options).request(ReplayBody, `/replays/${encodeURIComponent(id)}/${verb}`, {
    method: 'POST',
    body: options.reason === undefined ? {} : { reason: options.reason },
  })
  if (options.json) printJson(body)
  else print(`${body.state} ${body.replay_id}`)
}

const FAILURE_FILTERS = ['plugin', 'name', 'since', 'until', 'limit'] as const

type FailureOptions = ServerOptions & Readonly<Partial<Record<(typeof FAILURE_FILTERS)[number] | 'code', string>>>

/** `xcore failures`: what failed alike. */
export function failuresCommand(): Command {
  const failures = withServerOptions(new Command('failures'))
    .description('failed jobs in groups that failed alike, most recent first')
    .option('--plugin <name>')
    .option('--name <name>', 'of the action or event')
    .option('--code <code>', 'the error code')
    .option('--since <time>', 'ISO 8601, or an age like 2h')
    .option('--until <time>', 'ISO 8601, or an age like 2h')
    .option('--limit <n>', '1–200')
  failures.action(() => showFailures(failures.optsWithGlobals<FailureOptions>()))
  return failures
}

async function showFailures(options: FailureOptions): Promise<void> {
  const query = new URLSearchParams()
  for (const name of FAILURE_FILTERS) {
    const value = options[name]
    if (value !== undefined) query.set(name, value)
  }
  if (options.code !== undefined) query.set('error_code', options.code)
  const { body } = await clientOf(options).request(FailuresBody, query.size === 0 ? '/jobs/failures' : `/jobs/failures?${query}`)
  if (options.json) return printJson(body)
  if (body.failures.length === 0) return print('no failures')
  print(`${failureTable(body.failures)}\n\nreplay a group with: xcore replay --fingerprint FINGERPRINT`)
}
