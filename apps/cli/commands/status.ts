import { Command } from 'commander'
import { Type } from 'typebox'
import { CommandFailed } from '../exit.ts'
import { coloured, print, printJson, table } from '../output.ts'
import { PluginListBody, pluginTable } from '../plugin-text.ts'
import { clientOf, withServerOptions } from '../server-options.ts'
import type { ServerOptions } from '../server-options.ts'

const ReadyBody = Type.Object({
  ready: Type.Optional(Type.Boolean()),
  status: Type.Optional(Type.String()),
  checks: Type.Optional(Type.Unknown()),
})
const QueuesBody = Type.Object({ queues: Type.Array(Type.Record(Type.String(), Type.Unknown())) })

export function statusCommand(): Command {
  return withServerOptions(new Command('status'))
    .description('a running XCore at a glance: readiness, plugins, queues; exit 1 when it is not ready')
    .action(async (_options: unknown, command: Command) => {
      await status(command.optsWithGlobals<ServerOptions>())
    })
}

async function status(options: ServerOptions): Promise<void> {
  const client = clientOf(options)
  const readiness = await client.request(ReadyBody, '/readyz?verbose', { accept: [503] })
  const ready = readiness.status === 200
  const { body: plugins } = await client.request(PluginListBody, '/admin/plugins')
  const { body: queues } = await client.request(QueuesBody, '/admin/queues')

  if (options.json) printJson({ url: client.url, ready, readiness: readiness.body, plugins: plugins.plugins, queues: queues.queues })
  else {
    print(`${client.url} is ${ready ? coloured('green', 'ready') : coloured('red', 'not ready')}`)
    if (!ready) print(JSON.stringify(readiness.body, null, 2))
    print(`\n${pluginTable(plugins.plugins)}`)
    if (queues.queues.length > 0) print(`\n${queueTable(queues.queues)}`)
  }
  if (!ready) throw new CommandFailed(`${client.url} is not ready`, { code: 'not_ready' })
}

/** Whatever the api tells of each queue, a column each. */
function queueTable(queues: readonly Readonly<Record<string, unknown>>[]): string {
  const columns = [...new Set(queues.flatMap((queue) => Object.keys(queue)))]
  const cell = (value: unknown) =>
    value === null || value === undefined ? '-' : typeof value === 'object' ? JSON.stringify(value) : String(value)
  return table(
    columns.map((column) => column.replaceAll('_', ' ')),
    queues.map((queue) => columns.map((column) => cell(queue[column]))),
  )
}
