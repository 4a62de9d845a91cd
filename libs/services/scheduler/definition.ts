import type { MissedPolicy } from '@xcore/sdk'
import { XCoreError, didYouMean, messageOf } from '../../errors/index.ts'
import type { Json, PluginName } from '../../event-log/index.ts'
import { isFunction, isRecord, type PluginFunction } from '../../plugin-host/narrowing.ts'
import { toJson } from '../../plugin-host/to-json.ts'
import type { ScheduleRequest } from './port.ts'
import { cronOf } from './trigger.ts'
import type { Trigger } from './trigger.ts'

/** Who adds a schedule. */
export interface DefinitionContext {
  readonly plugin: PluginName
  readonly pluginVersion: string
  readonly priority: number
  readonly maxAttempts: number
  /** Not in `onLoad`: the id may be left out, the function must be found by other processes. */
  readonly atRunTime: boolean
  /** Milliseconds since the epoch. */
  readonly now: number
  /** By what name the plugin's instance has this function; null: it does not. */
  methodOf(func: PluginFunction): string | null
  newId(): string
}

export interface ParsedDefinition {
  readonly request: ScheduleRequest
  readonly func: PluginFunction
}

const BASE = ['id', 'trigger', 'func', 'args', 'replaceExisting', 'missed', 'jitter'] as const
const OWN = { interval: ['seconds', 'minutes', 'hours', 'days'], cron: ['cron', 'timezone'], date: ['runDate'] } as const
const MISSED: readonly MissedPolicy[] = ['once', 'skip', 'all']
const UNIT_MS = { seconds: 1_000, minutes: 60_000, hours: 3_600_000, days: 86_400_000 } as const
const SHORTEST_MS = 100
const LONGEST_MS = 10 * 366 * 86_400_000
const MAX_ARGS_BYTES = 256 * 1024
const MAX_ID_LENGTH = 255
const ISO_8601 = /^(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?$/i

/** Reads what a plugin gave to `addJob`. Throws XCoreError `schedule_invalid` that names the field. Pure, but for a new id. */
export function scheduleRequest(definition: unknown, context: DefinitionContext): ParsedDefinition {
  if (!isRecord(definition)) throw invalid('(definition)', "an object such as {id, trigger: 'interval', minutes: 5, func}", definition)
  const trigger = readTrigger(definition, context.now)
  const id = readId(definition['id'], context)
  const func = definition['func']
  if (!isFunction(func)) throw invalid('func', 'a function, such as a method of the plugin', func)
  const method = context.methodOf(func)
  if (method === null && context.atRunTime) {
    throw invalid(
      'func',
      'a method of the plugin, which other processes and a later start find by its name (functions of other kinds: add the schedule in onLoad)',
      func.name === '' || func.name === 'func' ? 'a function without a name' : `the function ${func.name}`,
    )
  }
  const { plugin, pluginVersion, priority, maxAttempts } = context
  const request = {
    ...{ plugin, id, trigger, method, priority, maxAttempts, pluginVersion },
    args: readArgs(definition['args'] ?? []),
    missed: readMissed(definition['missed'] ?? 'once'),
    jitterSeconds: readJitter(definition['jitter'] ?? 0),
    replaceExisting: readBoolean('replaceExisting', definition['replaceExisting'] ?? false),
  }
  return { request, func }
}

function readTrigger(definition: Readonly<Record<string, unknown>>, now: number): Trigger {
  const kind = definition['trigger']
  if (kind !== 'interval' && kind !== 'cron' && kind !== 'date') throw invalid('trigger', "'interval', 'cron' or 'date'", kind)
  const allowed: readonly string[] = [...BASE, ...OWN[kind]]
  for (const field of Object.keys(definition)) {
    if (definition[field] === undefined || allowed.includes(field)) continue
    const owner = Object.entries(OWN).find(([, fields]) => fields.some((own) => own === field))?.[0]
    const found = owner === undefined ? `an unknown field.${didYouMean(field, allowed)}` : `a field of trigger '${owner}'`
    throw invalid(field, `only ${allowed.join(', ')} with trigger '${kind}'`, found)
  }
  switch (kind) {
    case 'interval':
      return { kind, every_ms: readInterval(definition) }
    case 'cron':
      return readCron(definition, now)
    case 'date':
      return { kind, at: readDate(definition['runDate']) }
  }
}

function readInterval(definition: Readonly<Record<string, unknown>>): number {
  let total = 0
  for (const unit of OWN.interval) {
    const value = definition[unit] ?? 0
    if (typeof value !== 'number' || !(value >= 0 && Number.isFinite(value))) throw invalid(unit, 'a number of 0 or more', value)
    total += value * UNIT_MS[unit]
  }
  const every = Math.round(total)
  if (every < SHORTEST_MS || every > LONGEST_MS) {
    throw invalid(
      'seconds, minutes, hours, days',
      'parts that add up to at least 0.1 seconds and at most 10 years',
      `${total / 1000} seconds`,
    )
  }
  return every
}

function readCron(definition: Readonly<Record<string, unknown>>, now: number): Trigger {
  const { cron, timezone = 'UTC' } = definition
  const expected = '5 fields (minute hour day month weekday), or 6 with seconds in front'
  if (typeof cron !== 'string' || cron.length > 200) throw invalid('cron', expected, cron)
  const text = cron.trim().replaceAll(/\s+/g, ' ')
  const fields = text.split(' ').length
  if (fields !== 5 && fields !== 6 && !/^@[a-z]+$/i.test(text)) throw invalid('cron', expected, `${JSON.stringify(cron)} with ${fields}`)
  if (typeof timezone !== 'string' || !isTimezone(timezone)) throw invalid('timezone', "an IANA name such as 'Europe/Stockholm'", timezone)
  const trigger = { kind: 'cron', cron: text, timezone } as const
  let next: Date | null
  try {
    next = cronOf(trigger).nextRun(new Date(now))
  } catch (thrown) {
    throw invalid('cron', expected, `${JSON.stringify(cron)} (${messageOf(thrown).replace(/^Cron\w+: /, '')})`)
  }
  if (next === null) throw invalid('cron', 'an expression that fires at some time', `${JSON.stringify(cron)}, which never does`)
  return trigger
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    // Offsets are no rules: they would not follow the clocks of any place.
    return !/^[+-]/.test(name)
  } catch {
    return false
  }
}

function readDate(value: unknown): string {
  const expected = 'a Date, or a text such as 2030-01-31T09:00:00Z'
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw invalid('runDate', expected, 'an invalid Date')
    return value.toISOString()
  }
  if (typeof value !== 'string') throw invalid('runDate', expected, value)
  const [, day = '', time = 'T00:00', offset = 'Z'] = ISO_8601.exec(value) ?? []
  const midnight = Date.parse(`${day}T00:00Z`)
  const at = Date.parse(`${day}T${time.slice(1)}${offset.toUpperCase()}`)
  // Node takes the 30th of February for the 2nd of March.
  const known = !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(day)
  if (Number.isNaN(at) || !known) throw invalid('runDate', expected, value)
  return new Date(at).toISOString()
}

function readId(value: unknown, { atRunTime, newId }: DefinitionContext): string {
  if (value === undefined && atRunTime) return newId()
  if (typeof value !== 'string' || value === '' || value.length > MAX_ID_LENGTH || value.includes('\u0000') || !value.isWellFormed()) {
    throw invalid('id', `a text of 1 to ${MAX_ID_LENGTH} characters`, typeof value === 'string' ? `${value.length} characters` : value)
  }
  return value
}

function readArgs(value: unknown): readonly Json[] {
  if (!Array.isArray(value)) throw invalid('args', 'a list of JSON values', value)
  const converted = toJson(value, { name: 'args', maxBytes: MAX_ARGS_BYTES })
  if (!converted.ok) throw new XCoreError('schedule_invalid', `scheduler.addJob: ${converted.problem}`)
  return Array.isArray(converted.json) ? converted.json : []
}

function readMissed(value: unknown): MissedPolicy {
  const policy = MISSED.find((known) => known === value)
  if (policy === undefined) throw invalid('missed', "'once', 'skip' or 'all'", value)
  return policy
}

function readJitter(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 86_400) return value
  throw invalid('jitter', 'seconds from 0 to 86400', value)
}

function readBoolean(field: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw invalid(field, 'true or false', value)
}

function invalid(field: string, expected: string, found: unknown): XCoreError {
  return new XCoreError('schedule_invalid', `scheduler.addJob: ${field}: expected ${expected}, found ${shown(found)}`)
}

function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value.slice(0, 200)
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'a list' : 'an object'
    default:
      return `a ${typeof value}`
  }
}
