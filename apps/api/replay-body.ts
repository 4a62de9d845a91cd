import { pathOf } from '../../libs/engine/index.ts'
import type { BulkReplay, EventFilter, JobReplay, NamedReplay, Receivers, ReplayFilter, Selection } from '../../libs/engine/port.ts'
import { XCoreError } from '../../libs/errors/index.ts'
import { TERMINAL_STATES } from '../../libs/event-log/index.ts'
import type { JobKind, JobState, Json, JsonObject } from '../../libs/event-log/index.ts'
import { timeOf } from './job-filter.ts'
import { badMember, flag, isObject, numberFrom, objectWith, oneOf, optionalMember, textUpTo, uuid } from './members.ts'
import type { Read } from './members.ts'

const REASON = textUpTo(1_000)
const NAME = textUpTo(200)
const TEXT = textUpTo(500)
const KINDS: readonly JobKind[] = ['action', 'event', 'schedule']

/** `POST /jobs/{id}/replay`: the body may be empty. */
export function jobReplayOf(body: Json | undefined, actor: string): JobReplay {
  const members = objectWith(body ?? {}, '', ['payload', 'reason', 'force'])
  return {
    actor,
    ...present('reason', optionalMember(members, '', 'reason', REASON)),
    ...present('force', optionalMember(members, '', 'force', flag)),
    ...editedOf(members),
  }
}

/** `POST /events/{id}/replay`: `to` is `all` by default. */
export function eventReplayOf(body: Json | undefined, actor: string) {
  const members = objectWith(body ?? {}, '', ['to', 'reason'])
  return {
    actor,
    to: optionalMember(members, '', 'to', receivers) ?? ('all' as const),
    ...present('reason', optionalMember(members, '', 'reason', REASON)),
  }
}

const BULK = ['name', 'reason', 'filter', 'to', 'dry_run', 'payload', 'force', 'rate_per_second', 'priority', 'stop_at_failures']

export type BulkRequest = { readonly dryRun: true; readonly plan: BulkReplay } | { readonly dryRun: false; readonly start: NamedReplay }

/** `POST /replays`. */
export function bulkReplayOf(body: Json | undefined, actor: string, now: Date): BulkRequest {
  const members = objectWith(body, '', BULK)
  const to = optionalMember(members, '', 'to', receivers)
  const plan: BulkReplay = {
    selection: selectionOf(members['filter'], to, now),
    ...present('force', optionalMember(members, '', 'force', flag)),
    ...editedOf(members),
  }
  if (plan.selection.kind === 'events' && plan.edited !== undefined) {
    throw new XCoreError('bad_request', '"/payload": what an event says is not edited. Leave it out, or emit another event.')
  }
  if (optionalMember(members, '', 'dry_run', flag) === true) return { dryRun: true, plan }
  const start: NamedReplay = {
    ...plan,
    actor,
    name: NAME(members['name'] ?? null, '/name'),
    reason: REASON(members['reason'] ?? null, '/reason'),
    ...present('ratePerSecond', optionalMember(members, '', 'rate_per_second', RATE)),
    ...present('priority', optionalMember(members, '', 'priority', PRIORITY)),
    ...present('stopAtFailures', optionalMember(members, '', 'stop_at_failures', SHARE)),
  }
  return { dryRun: false, start }
}

const RATE = numberFrom((n) => n >= 0.01 && n <= 100_000, 'a number of jobs per second from 0.01 to 100000')
const PRIORITY = numberFrom((n) => Number.isInteger(n) && n >= 0 && n <= 100, 'an integer from 0 to 100')
const SHARE = numberFrom((n) => n >= 0 && n <= 1, 'a share from 0 to 1')

/** Who changes a replay, and why: `{"reason"?: …}` or nothing. */
export function authorOf(body: Json | undefined, actor: string) {
  const members = objectWith(body ?? {}, '', ['reason'])
  return { actor, ...present('reason', optionalMember(members, '', 'reason', REASON)) }
}

const receivers: Read<Receivers> = (value, at) => {
  if (value === 'all' || value === 'failed') return value
  if (!isObject(value)) throw badMember(at, '"all", "failed" or {"plugin": …, "subscription"?: …}', value)
  const members = objectWith(value, at, ['plugin', 'subscription'])
  return {
    plugin: TEXT(members['plugin'] ?? null, `${at}/plugin`),
    ...present('subscription', optionalMember(members, at, 'subscription', TEXT)),
  }
}

function selectionOf(filter: Json | undefined, to: Receivers | undefined, now: Date): Selection {
  if (!isObject(filter) || Object.keys(filter).length === 0) {
    throw new XCoreError(
      'bad_request',
      `"/filter": expected an object with at least one of ${JOB_MEMBERS.join(', ')}, found ${filter === undefined ? 'nothing' : 'none'}. To replay everything that failed, say so: {"state": "failed,dead"}.`,
      { issues: [{ path: '/filter', message: 'must not be empty' }] },
    )
  }
  if (to === undefined) return { kind: 'jobs', filter: jobFilterOf(filter, now) }
  if (filter['kind'] !== 'event') throw badMember('/filter/kind', '"event" together with "to"', filter['kind'])
  // The deliveries that failed are jobs.
  if (to === 'failed') return { kind: 'jobs', filter: jobFilterOf(filter, now) }
  return { kind: 'events', filter: eventFilterOf(filter, now), to }
}

const JOB_MEMBERS = [
  'plugin',
  'kind',
  'name',
  'state',
  'error_code',
  'error_fingerprint',
  'plugin_version',
  'correlation_id',
  'replay_id',
  'since',
  'until',
  'payload',
]

function jobFilterOf(filter: JsonObject, now: Date): ReplayFilter {
  const at = '/filter'
  const members = objectWith(filter, at, JOB_MEMBERS)
  const found: ReplayFilter = {
    ...present('plugin', optionalMember(members, at, 'plugin', TEXT)),
    ...present('kind', optionalMember(members, at, 'kind', oneOf(KINDS))),
    ...present('name', optionalMember(members, at, 'name', TEXT)),
    ...present('states', optionalMember(members, at, 'state', states)),
    ...present('errorCode', optionalMember(members, at, 'error_code', TEXT)),
    ...present('errorFingerprint', optionalMember(members, at, 'error_fingerprint', TEXT)),
    ...present('pluginVersion', optionalMember(members, at, 'plugin_version', TEXT)),
    ...present('correlationId', optionalMember(members, at, 'correlation_id', uuid)),
    ...present('replayId', optionalMember(members, at, 'replay_id', uuid)),
    ...present('payload', optionalMember(members, at, 'payload', payloadPaths)),
    ...range(members, at, now),
  }
  return found
}

const EVENT_MEMBERS = ['kind', 'name', 'source', 'correlation_id', 'since', 'until']

function eventFilterOf(filter: JsonObject, now: Date): EventFilter {
  const at = '/filter'
  const members = objectWith(filter, at, EVENT_MEMBERS)
  const found: EventFilter = {
    ...present('name', optionalMember(members, at, 'name', TEXT)),
    ...present('source', optionalMember(members, at, 'source', TEXT)),
    ...present('correlationId', optionalMember(members, at, 'correlation_id', uuid)),
    ...range(members, at, now),
  }
  if (Object.keys(found).length === 0) throw badMember(at, 'a name, source, correlation_id, since or until of the events', filter)
  return found
}

function range(members: JsonObject, at: string, now: Date): { since?: Date; until?: Date } {
  const time: Read<Date> = (value, where) => {
    if (typeof value !== 'string') throw badMember(where, 'an ISO 8601 time or a span such as 30m, 2h or 7d', value)
    return timeOf(value, where, now)
  }
  const since = optionalMember(members, at, 'since', time)
  const until = optionalMember(members, at, 'until', time)
  if (since !== undefined && until !== undefined && since >= until) throw badMember(`${at}/until`, 'a time after since', members['until'])
  return { ...present('since', since), ...present('until', until) }
}

/** `failed,dead` or `["failed", "dead"]`; only states that a finished job can be in. */
const states: Read<readonly JobState[]> = (value, at) => {
  const listed = typeof value === 'string' ? value.split(',').map((state) => state.trim()) : value
  if (!Array.isArray(listed) || listed.length === 0) throw badMember(at, `some of ${TERMINAL_STATES.join(', ')}`, value)
  return listed.map((state: Json) => {
    const found = TERMINAL_STATES.find((each) => each === state)
    if (found === undefined) throw badMember(at, `some of ${TERMINAL_STATES.join(', ')} (only finished jobs are replayed)`, state)
    return found
  })
}

const MOST_PATHS = 10

const payloadPaths: Read<NonNullable<ReplayFilter['payload']>> = (value, at) => {
  const entries = isObject(value) ? Object.entries(value) : []
  if (entries.length === 0 || entries.length > MOST_PATHS)
    throw badMember(at, `an object of 1 to ${MOST_PATHS} paths, such as {"user.id": 7}`, value)
  return entries.map(([path, equals]) => {
    if (path === '' || path.length > 500) throw badMember(at, 'paths such as user.id or /user/id', path)
    return { path: pathOf(path), equals }
  })
}

function editedOf(members: JsonObject): { edited?: { payload: Json } } {
  const payload = members['payload']
  return payload === undefined ? {} : { edited: { payload } }
}

function present<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  const member: { [K in Key]?: Value } = {}
  if (value !== undefined) member[key] = value
  return member
}
