import type { Json } from '../../libs/event-log/json.ts'
import { UsageError } from './exit.ts'
import type { ServerOptions } from './server-options.ts'

export interface ReplayOptions extends ServerOptions {
  readonly plugin?: string
  readonly kind?: string
  readonly name?: string
  readonly state?: string
  readonly code?: string
  readonly fingerprint?: string
  readonly correlation?: string
  readonly pluginVersion?: string
  readonly replayId?: string
  readonly source?: string
  readonly since?: string
  readonly until?: string
  readonly where?: readonly string[]
  readonly to?: string
  readonly payload?: string
  readonly force?: boolean
  readonly rate?: string
  readonly stopAtFailures?: string
  readonly as?: string
  readonly reason?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly detach?: boolean
}

const FILTERS = [
  ['plugin', 'plugin'],
  ['kind', 'kind'],
  ['name', 'name'],
  ['state', 'state'],
  ['error_code', 'code'],
  ['error_fingerprint', 'fingerprint'],
  ['correlation_id', 'correlation'],
  ['plugin_version', 'pluginVersion'],
  ['replay_id', 'replayId'],
  ['source', 'source'],
  ['since', 'since'],
  ['until', 'until'],
] as const satisfies readonly (readonly [member: string, option: keyof ReplayOptions])[]

/** The `filter` of POST /replays that the options ask for; empty when they name none. Pure. */
export function filterOf(options: ReplayOptions): Record<string, Json> {
  const filter: Record<string, Json> = {}
  for (const [member, option] of FILTERS) {
    const value = options[option]
    if (value !== undefined) filter[member] = value
  }
  const paths = (options.where ?? []).map(pathAndValue)
  return paths.length === 0 ? filter : { ...filter, payload: Object.fromEntries(paths) }
}

/** `user.id=7`: the value as JSON where it is, as text where it is not. */
function pathAndValue(text: string): [string, Json] {
  const at = text.indexOf('=')
  if (at < 1) throw new UsageError(`--where: expected PATH=VALUE such as user.id=7, found ${text}`)
  const value = text.slice(at + 1)
  try {
    // The parse boundary: what JSON.parse returns is JSON.
    return [text.slice(0, at), JSON.parse(value) as Json]
  } catch {
    return [text.slice(0, at), value]
  }
}

/** `all`, `failed`, `PLUGIN` or `PLUGIN/SUBSCRIPTION`. */
export function receiversOf(to: string): Json {
  if (to === 'all' || to === 'failed') return to
  const at = to.indexOf('/')
  return at < 0 ? { plugin: to } : { plugin: to.slice(0, at), subscription: to.slice(at + 1) }
}

/** The same filter makes the same name, so that the same replay is not started twice at once. */
export function nameOf(filter: Readonly<Record<string, Json>>): string {
  const parts = Object.entries(filter).map(([member, value]) => `${member}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  return parts.join(' ').slice(0, 200)
}

export function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new UsageError(`${flag}: expected a number, found ${text}`)
  return value
}

/** `0.2` or `20%`. */
export function shareOf(flag: string, text: string | undefined): number | undefined {
  const percent = text?.endsWith('%') === true
  const value = numberOf(flag, percent ? text?.slice(0, -1) : text)
  return value === undefined || !percent ? value : value / 100
}
