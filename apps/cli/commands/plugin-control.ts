import { Command } from 'commander'
import { Type } from 'typebox'
import { CommandFailed } from '../exit.ts'
import { coloured, print, printJson, table } from '../output.ts'
import { clientOf, withServerOptions } from '../server-options.ts'
import type { ServerOptions } from '../server-options.ts'

const Processes = Type.Array(
  Type.Object({
    process: Type.String(),
    role: Type.String(),
    ok: Type.Boolean(),
    state: Type.Union([Type.Null(), Type.String()]),
    version: Type.Union([Type.Null(), Type.String()]),
    error: Type.Union([Type.Null(), Type.Object({ code: Type.String(), message: Type.String() })]),
  }),
)
const Done = Type.Object({ name: Type.String(), command: Type.String(), processes: Processes })
const Refused = Type.Object({
  code: Type.String(),
  detail: Type.String(),
  details: Type.Optional(Type.Object({ processes: Type.Optional(Processes) })),
})
const Answer = Type.Union([Done, Refused])

const COMMANDS = {
  load: 'load a plugin in every process of a running XCore; it stays so over restarts',
  reload: "read a plugin's files anew in every process; what runs finishes on the old ones",
  unload: 'unload a plugin in every process, until it is loaded again',
  pause: 'let the jobs of a plugin wait; it stays so over restarts',
  resume: 'let the jobs of a paused plugin run again',
} as const

/** `xcore plugin load|reload|unload|pause|resume NAME`. */
export function controlCommands(): readonly Command[] {
  return Object.entries(COMMANDS).map(([name, description]) => {
    const command = withServerOptions(new Command(name)).description(description).argument('<name>', "the plugin's name")
    return command.action((plugin: string) => control(plugin, name, command.optsWithGlobals<ServerOptions>()))
  })
}

async function control(plugin: string, command: string, options: ServerOptions): Promise<void> {
  const path = `/admin/plugins/${encodeURIComponent(plugin)}/${command}`
  const request = { method: 'POST', timeoutSeconds: 60, accept: STATUSES } as const
  const { body } = await clientOf(options).request(Answer, path, request)
  const processes = 'processes' in body ? body.processes : (body.details?.processes ?? [])
  if (options.json) printJson(body)
  else if (processes.length > 0) print(processTable(processes))
  if ('code' in body) {
    const lines = processes.flatMap(({ process, error }) => (error === null ? [] : [`${process}: ${error.code}: ${error.message}`]))
    throw new CommandFailed(`${body.code}: ${body.detail}`, { code: body.code, lines })
  }
}

/** Of answers that tell what each process made of it, and refusals of the command as a whole. */
const STATUSES = [400, 404, 409, 422, 500, 503, 504]

function processTable(processes: Type.Static<typeof Processes>): string {
  const rows = processes.map(({ process, role, ok, state, version }) => [
    process,
    role,
    ok ? coloured('green', 'ok') : coloured('red', 'failed'),
    state ?? '-',
    version ?? '-',
  ])
  return table(['process', 'role', 'result', 'state', 'version'], rows)
}
