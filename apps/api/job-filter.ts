import { XCoreError } from '../../libs/errors/index.ts'
import type { JobFilter } from '../../libs/engine/port.ts'
import { JOB_STATES, isUuid, type JobKind, type JobState } from '../../libs/event-log/index.ts'

const KINDS: readonly JobKind[] = ['action', 'event', 'schedule']
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

type Check = (text: string, name: string, now: Date) => Partial<JobFilter>

const PARAMETERS: Readonly<Record<string, Check>> = {
  plugin: (text, name) => ({ plugin: plainText(text, name) }),
  kind: (text, name) => ({ kind: oneOf(text, name, KINDS) }),
  name: (text, name) => ({ name: plainText(text, name) }),
  state: (text, name) => ({ states: text.split(',').map((state) => oneOf<JobState>(state.trim(), name, JOB_STATES)) }),
  error_code: (text, name) => ({ errorCode: plainText(text, name) }),
  error_fingerprint: (text, name) => ({ errorFingerprint: plainText(text, name) }),
  correlation_id: (text, name) => ({ correlationId: uuid(text, name) }),
  replay_id: (text, name) => ({ replayId: uuid(text, name) }),
  since: (text, name, now) => ({ since: timeOf(text, name, now) }),
  until: (text, name, now) => ({ until: timeOf(text, name, now) }),
  limit: (text, name) => ({ limit: limitOf(text, name) }),
  cursor: (text, name) => ({ cursor: plainText(text, name) }),
}

/** The query of `GET /jobs`. Throws `bad_request` that names the parameter, what was expected and what was found. */
export function jobFilter(query: URLSearchParams, now: Date): JobFilter {
  let filter: JobFilter = {}
  for (const name of new Set(query.keys())) {
    const check = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined
    if (check === undefined) {
      throw bad(name, `one of ${Object.keys(PARAMETERS).join(', ')}`, 'a parameter that does not exist')
    }
    const values = query.getAll(name)
    if (values.length > 1 && name !== 'state') throw bad(name, 'one value', `${values.length} values`)
    const text = values.join(',')
    // `?plugin=` is the same as leaving it out: easier for forms and scripts.
    if (text !== '') filter = { ...filter, ...check(text, name, now) }
  }
  return filter
}

/** ISO 8601 (UTC when it names no zone), or how long ago: `45s 30m 2h 7d 1w`. */
export function timeOf(text: string, name: string, now: Date): Date {
  const ago = /^(\d{1,6})([smhdw])$/.exec(text)
  // Not before 1970: nothing is older, and Postgres knows no years that are far below zero.
  if (ago !== null) return new Date(Math.max(0, now.getTime() - Number(ago[1]) * (UNIT_MS[ago[2] ?? ''] ?? 0)))
  // A `+` in a query is a space once decoded; in a time it can only have been the sign of the zone.
  const iso = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(text.replace(' ', '+'))
  const time = iso === null ? NaN : Date.parse(`${iso[1]}T${iso[2] ?? '00:00'}${iso[3] ?? 'Z'}`)
  if (Number.isNaN(time)) throw bad(name, 'an ISO 8601 time or a span such as 30m, 2h or 7d', JSON.stringify(text))
  return new Date(time)
}

function limitOf(text: string, name: string): number {
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > 200) throw bad(name, 'an integer from 1 to 200', JSON.stringify(text))
  return limit
}

function oneOf<T extends string>(text: string, name: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === text)
  if (found === undefined) throw bad(name, `one of ${allowed.join(', ')}`, JSON.stringify(text))
  return found
}

function uuid(text: string, name: string): string {
  const lower = text.toLowerCase()
  if (!isUuid(lower)) throw bad(name, 'a UUID', JSON.stringify(text))
  return lower
}

function plainText(text: string, name: string): string {
  if (text.length > 500 || /\p{C}/u.test(text)) throw bad(name, 'at most 500 characters and no control characters', 'something else')
  return text
}

function bad(name: string, expected: string, found: string): XCoreError {
  return new XCoreError('bad_request', `Query parameter "${name}": expected ${expected}, found ${found}.`, {
    issues: [{ path: `?${name}`, message: `expected ${expected}, found ${found}` }],
  })
}
