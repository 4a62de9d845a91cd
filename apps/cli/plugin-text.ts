import { Type } from 'typebox'
import type { Static } from 'typebox'
import { coloured, table } from './output.ts'

/** The members of a plugin's status (contract: GET /admin/plugins) that the command line shows. */
export const PluginBody = Type.Object({
  name: Type.String(),
  version: Type.Union([Type.Null(), Type.String()]),
  state: Type.String(),
  paused: Type.Optional(Type.Boolean()),
  last_error: Type.Union([Type.Null(), Type.Object({ code: Type.String(), message: Type.String() })]),
})
export type PluginBody = Static<typeof PluginBody>

export const PluginListBody = Type.Object({ plugins: Type.Array(PluginBody) })

export function pluginTable(plugins: readonly PluginBody[]): string {
  if (plugins.length === 0) return 'no plugins'
  const rows = plugins.map((plugin) => [
    plugin.name,
    plugin.version ?? '-',
    `${colouredState(plugin.state)}${plugin.paused === true ? ', paused' : ''}`,
  ])
  const errors = plugins.flatMap((plugin) =>
    plugin.last_error === null ? [] : [`${plugin.name}: ${plugin.last_error.code}: ${plugin.last_error.message}`],
  )
  return [table(['plugin', 'version', 'state'], rows), ...errors.map((line) => `  ${coloured('red', line)}`)].join('\n')
}

function colouredState(state: string): string {
  if (state === 'ready') return coloured('green', state)
  return state === 'failed' ? coloured('red', state) : state
}
