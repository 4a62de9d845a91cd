/** What JSON can hold, and so what a payload or a result may be. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

export const MAX_JSON_DEPTH = 64

/**
 * Why Postgres or a handler should not be given this value; undefined when it is fine. `path` is a JSON pointer (RFC 6901).
 * jsonb refuses `\u0000` and lone surrogates; numbers that overflowed would come back as null; `__proto__` and `constructor.prototype` keys are refused because plugins merge
 * payloads into objects of theirs.
 */
export function refusal(value: Json): { readonly path: string; readonly reason: string } | undefined {
  const path: (string | number)[] = []
  const reason = walk(value, path, 0)
  return reason === undefined ? undefined : { path: pointer(path), reason }
}

function walk(value: Json, path: (string | number)[], depth: number): string | undefined {
  if (typeof value === 'string') return badText(value)
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'is a number too large to hold'
  if (typeof value !== 'object' || value === null) return undefined
  if (depth >= MAX_JSON_DEPTH) return `nested deeper than ${MAX_JSON_DEPTH} levels`
  if (isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const item = value[index]
      if (item === undefined) continue
      const reason = walk(item, path, depth + 1)
      if (reason !== undefined) return (path.unshift(index), reason)
    }
    return undefined
  }
  for (const key in value) {
    const item = value[key]
    if (item === undefined) continue
    const reason = badKey(key, item) ?? walk(item, path, depth + 1)
    if (reason !== undefined) return (path.unshift(key), reason)
  }
  return undefined
}

function badKey(key: string, value: Json): string | undefined {
  if (key === '__proto__') return 'the key `__proto__` is refused'
  if (key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')) {
    return 'the key `constructor.prototype` is refused'
  }
  return badText(key)
}

function badText(text: string): string | undefined {
  if (text.includes('\u0000')) return 'holds the character U+0000, which Postgres cannot store'
  return text.isWellFormed() ? undefined : 'holds half of a surrogate pair, which is not valid Unicode'
}

function isArray(value: object): value is readonly Json[] {
  return Array.isArray(value)
}

function pointer(path: readonly (string | number)[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
