import { types } from 'pg'
import type { CustomTypesConfig } from 'pg'
import { XCoreError } from '../../errors/index.ts'

const { builtins } = types

function safeInteger(text: string): number | string {
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : text
}

const AS_TEXT: readonly number[] = [builtins.DATE, builtins.TIME, builtins.TIMETZ, builtins.TIMESTAMP, builtins.INTERVAL]
const TEXT_LIST: number = 1009
const INT8_LIST = 1016
const DATE_LIST = 1182

/** How values come out of the database: what JSON or JavaScript can hold without loss, never in the time zone of the process. */
export const plugintypes: CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (format === 'binary') return types.getTypeParser(oid, 'binary')
    if (oid === builtins.INT8) return safeInteger
    if (AS_TEXT.includes(oid)) return (text: string) => text
    if (oid === INT8_LIST) return (text: string) => listOf(text, safeInteger)
    if (oid === DATE_LIST) return (text: string) => listOf(text, (item) => item)
    return types.getTypeParser(oid, 'text')
  },
}

function listOf<Item>(text: string, item: (text: string) => Item): unknown {
  const parse: unknown = types.getTypeParser(TEXT_LIST, 'text')
  return isParser(parse) ? nested(parse(text), item) : text
}

function isParser(value: unknown): value is (text: string) => unknown {
  return typeof value === 'function'
}

function nested<Item>(value: unknown, item: (text: string) => Item): unknown {
  if (Array.isArray(value)) return value.map((each) => nested(each, item))
  return typeof value === 'string' ? item(value) : value
}

/** Checks what a plugin passed to `query`. Throws XCoreError `bad_request`. */
export function checkedCall(sql: unknown, params: unknown): { readonly sql: string; readonly params: readonly unknown[] } {
  if (typeof sql !== 'string' || sql.trim() === '') throw bad(`expected a text with SQL, found ${shown(sql)}`)
  if (sql.includes('\u0000')) throw bad('expected SQL without U+0000, found one')
  const list: unknown = params ?? []
  if (!Array.isArray(list)) throw bad(`expected a list of parameters ([value, …]) as second argument, found ${shown(params)}`)
  return { sql, params: list.map((value: unknown, index) => parameter(value, index + 1)) }
}

function parameter(value: unknown, nth: number): unknown {
  switch (typeof value) {
    case 'undefined':
      return null
    case 'bigint':
      return value.toString()
    case 'function':
    case 'symbol':
      throw bad(`expected a value for $${nth}, found a ${typeof value}`)
    case 'string':
      // Postgres cannot hold it, and its own message does not tell which value it was.
      if (value.includes('\u0000')) throw bad(`expected text without U+0000 for $${nth}, found one`)
      return value
    case 'object':
      return objectParameter(value, nth)
    default:
      return value
  }
}

function objectParameter(value: object | null, nth: number): unknown {
  if (value instanceof Date && Number.isNaN(value.getTime())) throw bad(`expected a valid date for $${nth}, found an invalid one`)
  if (value === null || value instanceof Date || ArrayBuffer.isView(value)) return value
  if (Array.isArray(value)) return value.map((item: unknown) => parameter(item, nth))
  try {
    return JSON.stringify(value)
  } catch {
    throw bad(`expected a value that is JSON for $${nth}, found one that is not (a BigInt or a cycle inside)`)
  }
}

function bad(what: string): XCoreError {
  return new XCoreError('bad_request', `db.query: ${what}`)
}

function shown(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value
}
