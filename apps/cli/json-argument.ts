import { text } from 'node:stream/consumers'
import type { Json } from '../../libs/event-log/json.ts'
import { messageOf } from '../../libs/errors/index.ts'
import { UsageError } from './exit.ts'

/** JSON from the command line; `-` reads it from stdin, nothing given is `{}`. Throws UsageError when it does not parse. */
export async function readJsonArgument(argument: string | undefined): Promise<Json> {
  if (argument === undefined) return {}
  const source = argument === '-' ? await text(process.stdin) : argument
  try {
    // The parse boundary: what JSON.parse returns is JSON.
    return JSON.parse(source) as Json
  } catch (error) {
    const where = argument === '-' ? 'on stdin' : 'as argument'
    const hint = argument === '-' ? '' : ` Quote it for the shell, e.g. '{"name": "Ada"}', or pass - and pipe it in.`
    throw new UsageError(`expected JSON ${where}, but it does not parse: ${messageOf(error)}.${hint}`)
  }
}
