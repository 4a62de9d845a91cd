import type { Cache, CacheOptions } from '@xcore/sdk'
import { XCoreError } from '../../errors/index.ts'
import { compileGlob, globProblem } from '../../event-log/glob.ts'
import type { Json } from '../../event-log/index.ts'
import type { Permissions } from '../../plugin-host/permissions/permissions.ts'
import { toJson } from '../../plugin-host/to-json.ts'
import type { CacheStore } from './port.ts'

export const DEFAULT_TTL_SECONDS = 300
const LONGEST_TTL_SECONDS = 366 * 24 * 60 * 60
const MAX_KEY_LENGTH = 512
const MAX_KEYS = 1_000
/** Of the JSON text. Redis and Postgres hold more, but one such value then costs every reader. */
const MAX_VALUE_BYTES = 1024 * 1024

export interface CacheParts {
  readonly plugin: string
  readonly store: CacheStore
  readonly permissions: Pick<Permissions, 'check' | 'allows'>
  /** Runs what the store does as the platform's own work, not the plugin's. Default: as it is. */
  readonly outside?: <T>(work: () => T) => T
}

/** A plugin's view of the cache: checks keys, values and permissions, speaks JSON. */
export class PluginCache implements Cache {
  readonly #plugin: string
  readonly #store: CacheStore
  readonly #permissions: CacheParts['permissions']
  readonly #outside: <T>(work: () => T) => T
  /** What `getOrSet` is making now, by key. */
  readonly #making = new Map<string, Promise<string>>()

  constructor({ plugin, store, permissions, outside = (work) => work() }: CacheParts) {
    this.#plugin = plugin
    this.#store = store
    this.#permissions = permissions
    this.#outside = outside
  }

  async get<Value = unknown>(key: string): Promise<Value | null> {
    this.#may('get', 'read', key)
    const text = await this.#outside(() => this.#store.get(this.#plugin, key))
    return text === null ? null : JSON.parse(text)
  }

  async set(key: string, value: unknown, options: CacheOptions = {}): Promise<void> {
    this.#may('set', 'write', key)
    const ttlMs = ttlOf('set', options)
    const entry = { key, value: jsonText(value, `cache.set: value of ${shown(key)}`) }
    await this.#ask((store) => store.set(this.#plugin, [entry], ttlMs))
  }

  async delete(key: string): Promise<boolean> {
    this.#may('delete', 'write', key)
    return this.#ask((store) => store.delete(this.#plugin, key))
  }

  async exists(key: string): Promise<boolean> {
    this.#may('exists', 'read', key)
    return this.#ask((store) => store.exists(this.#plugin, key))
  }

  async clear(): Promise<void> {
    this.#permissions.check('cache.*', 'write')
    await this.#ask((store) => store.clear(this.#plugin))
  }

  async keys(glob = '*'): Promise<string[]> {
    const problem = typeof glob === 'string' ? globProblem(glob) : `expected a pattern such as 'user:*', found ${typeof glob}`
    if (problem !== undefined) throw bad(`cache.keys: ${problem}`)
    const fits = compileGlob(glob)
    const keys = await this.#ask((store) => store.keys(this.#plugin))
    return keys.filter((key) => fits(key) && this.#permissions.allows(`cache.${key}`, 'read')).sort()
  }

  async getOrSet<Value>(key: string, make: () => Value | Promise<Value>, options: CacheOptions = {}): Promise<Value> {
    this.#may('getOrSet', 'read', key)
    this.#may('getOrSet', 'write', key)
    const ttlMs = ttlOf('getOrSet', options)
    if (typeof make !== 'function') throw bad(`cache.getOrSet: expected a function that makes the value, found ${typeof make}`)
    let making = this.#making.get(key)
    if (making === undefined) {
      making = this.#make(key, make, ttlMs).finally(() => this.#making.delete(key))
      this.#making.set(key, making)
    }
    // Each caller gets a copy of its own.
    return JSON.parse(await making)
  }

  async mget<Value = unknown>(keys: readonly string[]): Promise<Record<string, Value>> {
    const given: unknown = keys
    if (!Array.isArray(given)) throw bad(`cache.mget: expected a list of keys, found ${typeof given}`)
    const wanted = [...new Set(keys)]
    atMost('mget', wanted.length)
    for (const key of wanted) this.#may('mget', 'read', key)
    const texts = wanted.length === 0 ? [] : await this.#ask((store) => store.getMany(this.#plugin, wanted))
    // fromEntries defines its members: a key such as `__proto__` is one like any other.
    return Object.fromEntries(wanted.flatMap((key, index): [string, Value][] => entryOf(key, texts[index])))
  }

  async mset(values: Readonly<Record<string, unknown>>, options: CacheOptions = {}): Promise<void> {
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw bad(`cache.mset: expected an object of values by key, found ${Array.isArray(values) ? 'a list' : typeof values}`)
    }
    const ttlMs = ttlOf('mset', options)
    const entries = Object.entries(values).map(([key, value]) => {
      this.#may('mset', 'write', key)
      return { key, value: jsonText(value, `cache.mset: value of ${shown(key)}`) }
    })
    atMost('mset', entries.length)
    if (entries.length > 0) await this.#ask((store) => store.set(this.#plugin, entries, ttlMs))
  }

  async #make(key: string, make: () => unknown, ttlMs: number): Promise<string> {
    const found = await this.#ask((store) => store.get(this.#plugin, key))
    if (found !== null) return found
    const value = jsonText(await make(), `cache.getOrSet: value made for ${shown(key)}`)
    await this.#ask((store) => store.set(this.#plugin, [{ key, value }], ttlMs))
    return value
  }

  #ask<T>(work: (store: CacheStore) => Promise<T>): Promise<T> {
    return this.#outside(() => work(this.#store))
  }

  #may(method: string, verb: 'read' | 'write', key: string): void {
    checkKey(method, key)
    this.#permissions.check(`cache.${key}`, verb)
  }
}

function entryOf<Value>(key: string, text: string | null | undefined): [string, Value][] {
  return text === null || text === undefined ? [] : [[key, JSON.parse(text)]]
}

function checkKey(method: string, key: unknown): void {
  if (typeof key !== 'string' || key === '' || key.length > MAX_KEY_LENGTH) {
    const found = typeof key === 'string' ? `${key.length} characters` : key === null ? 'null' : typeof key
    throw bad(`cache.${method}: expected a key of 1 to ${MAX_KEY_LENGTH} characters, found ${found}`)
  }
  if (key.includes('\u0000') || !key.isWellFormed()) {
    throw bad(`cache.${method}: expected a key without U+0000 and half surrogate pairs, found ${shown(key)}`)
  }
}

function atMost(method: string, count: number): void {
  if (count > MAX_KEYS) throw bad(`cache.${method}: expected at most ${MAX_KEYS} keys, found ${count}; ask in parts`)
}

/** Milliseconds. */
function ttlOf(method: string, { ttl = DEFAULT_TTL_SECONDS }: CacheOptions): number {
  if (typeof ttl !== 'number' || !(ttl > 0 && ttl <= LONGEST_TTL_SECONDS)) {
    throw bad(`cache.${method}: expected a ttl above 0 and of at most ${LONGEST_TTL_SECONDS} seconds, found ${String(ttl)}`)
  }
  return Math.ceil(ttl * 1000)
}

function jsonText(value: unknown, name: string): string {
  const converted = toJson(value, { name, maxBytes: MAX_VALUE_BYTES })
  const text = converted.ok ? JSON.stringify(converted.json satisfies Json) : ''
  // Escapes and long numbers make the text longer than the walk counted.
  if (converted.ok && Buffer.byteLength(text) <= MAX_VALUE_BYTES) return text
  if (!converted.ok && converted.reason === 'invalid') throw bad(converted.problem)
  throw new XCoreError(
    'payload_too_large',
    `${name}: expected at most ${MAX_VALUE_BYTES} bytes of JSON, found more; keep large values elsewhere and their place in the cache`,
  )
}

function shown(key: string): string {
  return JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key)
}

function bad(message: string): XCoreError {
  return new XCoreError('bad_request', message)
}
