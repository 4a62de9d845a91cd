import { TERMINAL_STATES } from '../../event-log/index.ts'
import type { JobKind, JobState, Json, JsonObject, StoredState } from '../../event-log/index.ts'
import type { EventFilter, ReplayFilter, Selection } from './port.ts'

/** What `failed` means to whoever looks for failures. */
export const FAILED_STATES = ['failed', 'dead'] as const satisfies readonly StoredState[]

/** A selection whose items no longer change: relative bounds are absolute, and what finishes after `at` does not belong to it. */
export type FrozenSelection = Selection & { readonly at: Date }

export function freeze(selection: Selection, now: Date): FrozenSelection {
  const until = selection.filter.until === undefined || selection.filter.until > now ? now : selection.filter.until
  return selection.kind === 'jobs'
    ? { ...selection, filter: { ...selection.filter, states: selection.filter.states ?? FAILED_STATES, until }, at: now }
    : { ...selection, filter: { ...selection.filter, until }, at: now }
}

/** The filter as it is stored and shown (snake_case). */
export function filterJson(selection: FrozenSelection): JsonObject {
  const at = selection.at.toISOString()
  return selection.kind === 'jobs'
    ? { ...jobFilterJson(selection.filter), at }
    : { kind: 'event', ...eventFilterJson(selection.filter), at }
}

export function receiversJson(selection: Selection): JsonObject | null {
  if (selection.kind === 'jobs') return null
  const { to } = selection
  if (to === 'all') return { to }
  return { to: { plugin: to.plugin, ...(to.subscription === undefined ? {} : { subscription: to.subscription }) } }
}

function jobFilterJson(filter: ReplayFilter): JsonObject {
  return defined({
    plugin: filter.plugin,
    kind: filter.kind,
    name: filter.name,
    state: filter.states,
    error_code: filter.errorCode,
    error_fingerprint: filter.errorFingerprint,
    plugin_version: filter.pluginVersion,
    correlation_id: filter.correlationId,
    replay_id: filter.replayId,
    since: filter.since?.toISOString(),
    until: filter.until?.toISOString(),
    payload:
      filter.payload === undefined ? undefined : Object.fromEntries(filter.payload.map(({ path, equals }) => [pathText(path), equals])),
  })
}

function eventFilterJson(filter: EventFilter): JsonObject {
  return defined({
    name: filter.name,
    source: filter.source,
    correlation_id: filter.correlationId,
    since: filter.since?.toISOString(),
    until: filter.until?.toISOString(),
  })
}

/** The way back, of what `filterJson` and `receiversJson` wrote. */
export function selectionOf(kind: 'jobs' | 'events', filter: JsonObject, receivers: JsonObject | null): FrozenSelection {
  const at = time(filter['at']) ?? new Date(0)
  if (kind === 'jobs') return { kind, filter: jobFilterOf(filter), at }
  const to = receivers?.['to']
  const subscriber = isObject(to) ? { plugin: text(to['plugin']) ?? '', ...optional('subscription', text(to['subscription'])) } : 'all'
  return {
    kind,
    to: subscriber,
    at,
    filter: {
      ...optional('name', text(filter['name'])),
      ...optional('source', text(filter['source'])),
      ...optional('correlationId', text(filter['correlation_id'])),
      ...optional('since', time(filter['since'])),
      ...optional('until', time(filter['until'])),
    },
  }
}

function jobFilterOf(filter: JsonObject): ReplayFilter {
  const { state, payload } = filter
  const kinds: readonly JobKind[] = ['action', 'event', 'schedule']
  const states: JobState[] = TERMINAL_STATES.filter((each) => Array.isArray(state) && state.includes(each))
  return {
    states,
    ...optional('plugin', text(filter['plugin'])),
    ...optional(
      'kind',
      kinds.find((kind) => kind === filter['kind']),
    ),
    ...optional('name', text(filter['name'])),
    ...optional('errorCode', text(filter['error_code'])),
    ...optional('errorFingerprint', text(filter['error_fingerprint'])),
    ...optional('pluginVersion', text(filter['plugin_version'])),
    ...optional('correlationId', text(filter['correlation_id'])),
    ...optional('replayId', text(filter['replay_id'])),
    ...optional('since', time(filter['since'])),
    ...optional('until', time(filter['until'])),
    ...(isObject(payload) ? { payload: Object.entries(payload).map(([path, equals]) => ({ path: pathOf(path), equals })) } : {}),
  }
}

/** `a.b.0` or, for keys that hold dots, a JSON pointer (RFC 6901): `/a/b/0`. */
export function pathOf(path: string): readonly string[] {
  if (!path.startsWith('/')) return path.split('.')
  return path
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** A path as a JSON pointer. */
export function pathText(path: readonly string[]): string {
  return path.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

function defined(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  const kept: Record<string, Json> = {}
  for (const [name, value] of Object.entries(members)) if (value !== undefined) kept[name] = value
  return kept
}

function optional<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  const member: { [K in Key]?: Value } = {}
  if (value !== undefined) member[key] = value
  return member
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function time(value: Json | undefined): Date | undefined {
  return typeof value === 'string' ? new Date(value) : undefined
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
