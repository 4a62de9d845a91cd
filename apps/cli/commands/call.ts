import { Command } from 'commander'
import { Type } from 'typebox'
import { CommandFailed, UsageError } from '../exit.ts'
import { readJsonArgument } from '../json-argument.ts'
import { print, printJson } from '../output.ts'
import { clientOf, withServerOptions } from '../server-options.ts'
import type { ServerOptions } from '../server-options.ts'

const MAX_WAIT_SECONDS = 60

interface CallOptions extends ServerOptions {
  readonly wait?: string | true
  readonly priority?: string
  readonly delay?: string
  readonly idempotencyKey?: string
}

const CallBody = Type.Object({ job_id: Type.String(), status: Type.String(), result: Type.Optional(Type.Unknown()) })

export function callCommand(): Command {
  return withServerOptions(new Command('call'))
    .description('submit an action of a plugin as a durable job')
    .argument('<plugin>')
    .argument('<action>')
    .argument('[json]', 'the payload; - reads it from stdin', undefined)
    .option('--wait [seconds]', `wait for the outcome (default and most: ${MAX_WAIT_SECONDS}) and exit 1 when the job failed`)
    .option('--priority <0-100>', 'higher runs first')
    .option('--delay <seconds>', 'run not before')
    .option('--idempotency-key <key>', 'the same key again returns the first job')
    .action(async (plugin: string, action: string, json: string | undefined, _options: unknown, command: Command) => {
      await call(plugin, action, json, command.optsWithGlobals<CallOptions>())
    })
}

async function call(plugin: string, action: string, argument: string | undefined, options: CallOptions): Promise<void> {
  const { json, wait } = separated(argument, options.wait)
  const waitSeconds = wait === undefined ? 0 : waitOf(wait)
  const payload = await readJsonArgument(json)
  const body = {
    payload,
    ...numberOption('priority', '--priority', options.priority),
    ...numberOption('delay_seconds', '--delay', options.delay),
  }
  const answer = await clientOf(options).request(CallBody, `/ipc/${encodeURIComponent(plugin)}/${encodeURIComponent(action)}`, {
    method: 'POST',
    body,
    headers: {
      ...(waitSeconds > 0 ? { prefer: `wait=${waitSeconds}` } : {}),
      ...(options.idempotencyKey === undefined ? {} : { 'idempotency-key': options.idempotencyKey }),
    },
    timeoutSeconds: waitSeconds + 30,
  })
  const { job_id: jobId, result } = answer.body
  if (options.json) printJson(answer.body)
  else if (answer.status === 202) print(`queued ${jobId}\nSee it with: xcore jobs show ${jobId}`)
  else print(JSON.stringify(result, null, 2))

  if (answer.status >= 400)
    throw new CommandFailed(`the job ${jobId} failed. Its history: xcore jobs show ${jobId}`, { code: 'job_failed' })
  if (waitSeconds > 0 && answer.status === 202) {
    throw new CommandFailed(`the job ${jobId} was accepted but has not finished within ${waitSeconds} s`, { code: 'timeout' })
  }
}

/** In `call hello greet --wait '{…}'` the payload was taken for the seconds. */
function separated(
  json: string | undefined,
  wait: string | true | undefined,
): { json: string | undefined; wait: string | true | undefined } {
  const taken = json === undefined && typeof wait === 'string' && (wait === '-' || /^\s*[[{"]/.test(wait))
  return taken ? { json: wait, wait: true } : { json, wait }
}

function waitOf(option: string | true): number {
  const seconds = option === true ? MAX_WAIT_SECONDS : Number(option)
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_WAIT_SECONDS) {
    throw new UsageError(`--wait: expected whole seconds from 1 to ${MAX_WAIT_SECONDS}, found ${String(option)}.`)
  }
  return seconds
}

function numberOption(member: string, flag: string, text: string | undefined): Record<string, number> {
  if (text === undefined) return {}
  const number = Number(text)
  if (text.trim() === '' || !Number.isFinite(number)) throw new UsageError(`${flag}: expected a number, found ${text}`)
  return { [member]: number }
}
