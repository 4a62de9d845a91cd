import { isFunction } from './narrowing.ts'
import type { Json } from '../event-log/index.ts'

export const MAX_JSON_LEVELS = 64

export type Converted =
  { readonly ok: true; readonly json: Json } | { readonly ok: false; readonly reason: 'invalid' | 'too_large'; readonly problem: string }

/**
 * Turns what a handler made into JSON that Postgres can store, or says where and why not. Stricter than JSON.stringify, which
 * drops functions, empties Maps and turns NaN into null without a word: here these are problems, as are members that are
 * `undefined`, cycles, U+0000, half surrogate pairs, keys named `__proto__` and more than 64 levels. `toJSON` (Dates, URLs)
 * is heeded. Stops as soon as the text would pass `maxBytes`, so a value that repeats itself costs no more than that.
 * Never throws, whatever getters do.
 */
export function toJson(value: unknown, options: { readonly name: string; readonly maxBytes: number }): Converted {
  try {
    const walk = new Walk(options.maxBytes)
    return { ok: true, json: walk.convert(value, { name: options.name, parent: null }, 0) }
  } catch (thrown) {
    if (thrown instanceof NotJson) return { ok: false, reason: thrown.reason, problem: thrown.message }
    return {
      ok: false,
      reason: 'invalid',
      problem: `${options.name}: reading it threw ${thrown instanceof Error ? thrown.name : typeof thrown}`,
    }
  }
}

class NotJson extends Error {
  readonly reason: 'invalid' | 'too_large'
  constructor(reason: 'invalid' | 'too_large', message: string) {
    super(message)
    this.reason = reason
  }
}

interface Place {
  readonly name: string | number
  readonly parent: Place | null
}

class Walk {
  readonly #maxBytes: number
  #bytes = 0
  // Objects above the current one, to find cycles.
  readonly #above = new Set<object>()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  convert(value: unknown, place: Place, level: number): Json {
    switch (typeof value) {
      case 'boolean':
        this.#spend(5)
        return value
      case 'string':
        return this.#text(value, place)
      case 'number':
        if (!Number.isFinite(value)) throw wrong(place, String(value))
        this.#spend(8)
        return value
      case 'object':
        if (value === null) {
          this.#spend(4)
          return null
        }
        return this.#object(value, place, level)
      case 'undefined':
        throw wrong(place, 'undefined (leave it out, or use null)')
      case 'bigint':
        throw wrong(place, 'a BigInt (use a number or a text)')
      default:
        throw wrong(place, `a ${typeof value}`)
    }
  }

  #object(value: object, place: Place, level: number): Json {
    if (level >= MAX_JSON_LEVELS) throw new NotJson('invalid', `${show(place)}: expected at most ${MAX_JSON_LEVELS} levels, found more`)
    if (this.#above.has(value)) throw wrong(place, 'a cycle')
    this.#above.add(value)
    const json = this.#members(value, place, level)
    this.#above.delete(value)
    return json
  }

  #members(value: object, place: Place, level: number): Json {
    const own: unknown = Reflect.get(value, 'toJSON')
    if (isFunction(own)) return this.convert(own.call(value, String(place.name)), place, level + 1)
    this.#spend(2)
    if (Array.isArray(value)) return Array.from(value, (item, index) => this.#child(item, index, place, level))
    if (value instanceof Boolean || value instanceof Number || value instanceof String)
      return this.convert(value.valueOf(), place, level + 1)
    const kind = unjsonable(value)
    if (kind !== undefined) throw wrong(place, kind)
    const json: Record<string, Json> = {}
    for (const [key, item] of Object.entries(value)) {
      if (key === '__proto__') throw wrong({ name: key, parent: place }, 'a key that is not allowed')
      this.#text(key, { name: key, parent: place })
      json[key] = this.#child(item, key, place, level)
    }
    return json
  }

  #child(value: unknown, name: string | number, place: Place, level: number): Json {
    this.#spend(1)
    return this.convert(value, { name, parent: place }, level + 1)
  }

  #text(text: string, place: Place): string {
    this.#spend(2 + Buffer.byteLength(text))
    if (text.includes('\u0000')) throw wrong(place, 'a text with U+0000, which Postgres cannot store')
    if (!text.isWellFormed()) throw wrong(place, 'a text with half a surrogate pair')
    return text
  }

  #spend(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > this.#maxBytes) throw new NotJson('too_large', `expected at most ${this.#maxBytes} bytes of JSON, found more`)
  }
}

// What JSON.stringify would silently turn into {} or a list of bytes.
function unjsonable(value: object): string | undefined {
  for (const kind of [Map, Set, WeakMap, WeakSet, Promise, RegExp, ArrayBuffer]) if (value instanceof kind) return `a ${kind.name}`
  if (value instanceof Error) return `an ${value.name} (return error(…), or throw it)`
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`
  return undefined
}

function wrong(place: Place, found: string): NotJson {
  return new NotJson('invalid', `${show(place)}: expected a JSON value, found ${found}`)
}

function show(place: Place): string {
  const parts: string[] = []
  for (let at: Place | null = place; at !== null; at = at.parent) {
    parts.unshift(String(at.name).slice(0, 60).replaceAll('\u0000', '\\0').toWellFormed())
  }
  // Ends are what tells most; a deep path is cut in the middle.
  return parts.length > 12 ? [...parts.slice(0, 6), '…', ...parts.slice(-5)].join('/') : parts.join('/')
}

/** Makes any text storable: U+0000 and half surrogate pairs replaced, cut to `maxLength` characters. */
export function storable(text: string, maxLength: number): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
  return cut.replaceAll('\u0000', '\uFFFD').toWellFormed()
}
