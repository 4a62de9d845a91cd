import type { PluginStatus } from '../../libs/plugin-host/port.ts'
import { pluginTable } from './plugin-text.ts'

export interface BannerFacts {
  readonly version: string
  readonly url: string
  readonly plugins: readonly PluginStatus[]
  readonly keysNeeded: boolean
}

/** What a person sees once `xcore start` is up: the URL, the plugins with what is wrong with them, and a command to try. */
export function banner(facts: BannerFacts): string {
  const plugins = facts.plugins.map((plugin) => ({
    name: plugin.name,
    version: plugin.version,
    state: plugin.state,
    last_error: plugin.lastError,
  }))
  return [
    '',
    `XCore ${facts.version} is ready at ${facts.url}`,
    `The console: ${facts.url}/console`,
    '',
    pluginTable(plugins),
    '',
    'Try it:',
    `  ${curlLine(facts)}`,
    '',
  ].join('\n')
}

function curlLine({ url, plugins, keysNeeded }: BannerFacts): string {
  const target = callToTry(plugins)
  const auth = keysNeeded ? " -H 'Authorization: Bearer YOUR_KEY'" : ''
  if (target === undefined) return `curl -s '${url}/readyz?verbose'`
  return `curl -s '${url}/ipc/${target}' -H 'Content-Type: application/json' -H 'Prefer: wait=10'${auth} -d '{"payload": {}}'`
}

/** `PLUGIN/ACTION` of a call that works with an empty payload: `ping` first, else any declared action that asks for nothing. */
function callToTry(plugins: readonly PluginStatus[]): string | undefined {
  const calls = plugins
    .filter((plugin) => plugin.state === 'ready')
    .flatMap((plugin) =>
      plugin.actions.filter((action) => !asksForSomething(action.input)).map((action) => `${plugin.name}/${action.name}`),
    )
  return calls.find((call) => call.endsWith('/ping')) ?? calls[0]
}

function asksForSomething(schema: object | null): boolean {
  return schema !== null && 'required' in schema && Array.isArray(schema.required) && schema.required.length > 0
}
