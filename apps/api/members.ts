import { XCoreError, didYouMean } from '../../libs/errors/index.ts'
import { isUuid } from '../../libs/event-log/index.ts'
import type { Json, JsonObject } from '../../libs/event-log/index.ts'

/** Reads one member of a body; `at` is its JSON pointer. Throws `bad_request`. */
export type Read<Value> = (value: Json, at: string) => Value

/** The object at `at`, and no members but the known ones. Throws `bad_request` with the nearest known name. */
export function objectWith(value: Json | undefined, at: string, known: readonly string[]): JsonObject {
  if (!isObject(value)) throw badMember(at, `an object with ${known.join(', ')}`, value)
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) {
      throw new XCoreError('bad_request', `Unknown member "${at}/${key}".${didYouMean(key, known)} Expected ${known.join(', ')}.`, {
        issues: [{ path: `${at}/${key}`, message: 'unknown member' }],
      })
    }
  }
  return value
}

/** A member that may be left out; null counts as left out. */
export function optionalMember<Value>(object: JsonObject, at: string, name: string, read: Read<Value>): Value | undefined {
  const value = object[name]
  return value === undefined || value === null ? undefined : read(value, `${at}/${name}`)
}

export function textUpTo(length: number): Read<string> {
  return (value, at) => {
    if (typeof value !== 'string' || value.length === 0 || value.length > length || /[^\P{C}\n]/u.test(value)) {
      throw badMember(at, `a text of 1 to ${length} characters without control characters`, value)
    }
    return value
  }
}

export function numberFrom(check: (value: number) => boolean, expected: string): Read<number> {
  return (value, at) => {
    if (typeof value !== 'number' || !check(value)) throw badMember(at, expected, value)
    return value
  }
}

export const flag: Read<boolean> = (value, at) => {
  if (typeof value !== 'boolean') throw badMember(at, 'true or false', value)
  return value
}

export const uuid: Read<string> = (value, at) => {
  const lower = typeof value === 'string' ? value.toLowerCase() : ''
  if (!isUuid(lower)) throw badMember(at, 'a UUID', value)
  return lower
}

export function oneOf<T extends string>(allowed: readonly T[]): Read<T> {
  return (value, at) => {
    const found = allowed.find((each) => each === value)
    if (found === undefined) throw badMember(at, `one of ${allowed.join(', ')}`, value)
    return found
  }
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function badMember(at: string, expected: string, found: Json | undefined): XCoreError {
  const shown = found === undefined ? 'nothing' : (JSON.stringify(found) ?? '').slice(0, 100)
  return new XCoreError('bad_request', `"${at || '/'}": expected ${expected}, found ${shown}.`, {
    issues: [{ path: at, message: `expected ${expected}, found ${shown}` }],
  })
}
