import { randomUUID } from 'node:crypto'
import { Command } from 'commander'
import { Type } from 'typebox'
import { readJsonArgument } from '../json-argument.ts'
import { print, printJson } from '../output.ts'
import { clientOf, withServerOptions } from '../server-options.ts'
import type { ServerOptions } from '../server-options.ts'

interface EmitOptions extends ServerOptions {
  readonly id?: string
  readonly source: string
}

const EmitBody = Type.Object({ event_id: Type.String(), jobs: Type.Array(Type.String()) })

export function emitCommand(): Command {
  return withServerOptions(new Command('emit'))
    .description('emit an event; each subscriber gets a durable job')
    .argument('<name>', 'e.g. user.created')
    .argument('[json]', 'the data; - reads it from stdin')
    .option('--id <id>', 'the same id and source again emit nothing new (default: a new UUID)')
    .option('--source <uri>', 'the CloudEvents source', 'xcore://cli')
    .action(async (name: string, json: string | undefined, _options: unknown, command: Command) => {
      await emit(name, json, command.optsWithGlobals<EmitOptions>())
    })
}

async function emit(name: string, json: string | undefined, options: EmitOptions): Promise<void> {
  const data = await readJsonArgument(json)
  const { body } = await clientOf(options).request(EmitBody, '/events', {
    method: 'POST',
    headers: { 'content-type': 'application/cloudevents+json' },
    body: {
      specversion: '1.0',
      id: options.id ?? randomUUID(),
      source: options.source,
      type: name,
      datacontenttype: 'application/json',
      data,
    },
  })
  if (options.json) printJson(body)
  else
    print(
      [
        `emitted ${body.event_id} to ${body.jobs.length} subscriber${body.jobs.length === 1 ? '' : 's'}`,
        ...body.jobs.map((job) => `  job ${job}`),
      ].join('\n'),
    )
}
