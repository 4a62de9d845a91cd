import { Redis } from 'ioredis'
import { XCoreError, messageOf } from '../../../errors/index.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { CacheStore } from '../port.ts'

export interface RedisCacheOptions {
  /** `redis://user:password@host:port/database`. */
  readonly url: string
  readonly logger: Logger
  /** How long Redis may be silent while a command waits for its answer, and how long a connection may take. Default 2,000. */
  readonly timeoutMs?: number
}

export interface RedisCacheStore extends CacheStore {
  /** Resolves when Redis answers. Throws `redis_unavailable`. */
  ready(): Promise<void>
  close(): Promise<void>
}

const PREFIX = 'xcore:cache:'
const SCAN_COUNT = 1_000

/** The cache in Redis, one key an entry: `xcore:cache:PLUGIN:KEY`. A plugin's name holds no colon, so plugins can't meet. */
export function createRedisCacheStore(options: RedisCacheOptions): RedisCacheStore {
  const { url, logger, timeoutMs = 2_000 } = options
  const redis = new Redis(url, {
    connectionName: 'xcore cache',
    // Not commandTimeout: that is a timer for each command.
    socketTimeout: timeoutMs,
    connectTimeout: timeoutMs,
    maxRetriesPerRequest: 1,
    retryStrategy: (times) => Math.min(50 * 2 ** times, 2_000),
  })
  // Without a listener the event would end the process; commands report the same trouble to their callers.
  redis.on('error', (err) => logger.debug({ err }, 'the connection to Redis is in trouble'))

  function fail(thrown: unknown): never {
    throw unavailable(thrown, url)
  }
  function ask<T>(work: () => Promise<T>): Promise<T> {
    return work().catch(fail)
  }

  async function scan(plugin: string, each: (keys: readonly string[]) => Promise<unknown> | void): Promise<void> {
    const prefix = prefixOf(plugin)
    let cursor = '0'
    do {
      const [next, found] = await redis.scan(cursor, 'MATCH', `${prefix.replaceAll(/[\\*?[\]]/g, '\\$&')}*`, 'COUNT', SCAN_COUNT)
      if (found.length > 0) await each(found)
      cursor = next
    } while (cursor !== '0')
  }

  return {
    // The way that is gone most: as few promises as can be.
    get: (plugin, key) => redis.get(`${prefixOf(plugin)}${key}`).catch(fail),
    getMany: (plugin, keys) => redis.mget(keys.map((key) => `${prefixOf(plugin)}${key}`)).catch(fail),
    async set(plugin, entries, ttlMs) {
      const prefix = prefixOf(plugin)
      const [only] = entries
      await ask(async () => {
        if (entries.length === 1 && only !== undefined) return redis.set(`${prefix}${only.key}`, only.value, 'PX', ttlMs)
        const all = redis.multi()
        for (const { key, value } of entries) all.set(`${prefix}${key}`, value, 'PX', ttlMs)
        const answers = await all.exec()
        const failed = answers?.find(([error]) => error !== null)?.[0]
        if (failed !== undefined && failed !== null) throw failed
        return answers
      })
    },
    delete: (plugin, key) => ask(async () => (await redis.unlink(`${prefixOf(plugin)}${key}`)) > 0),
    exists: (plugin, key) => ask(async () => (await redis.exists(`${prefixOf(plugin)}${key}`)) > 0),
    clear: (plugin) => ask(() => scan(plugin, (keys) => redis.unlink(...keys))),
    keys: (plugin) =>
      ask(async () => {
        const { length } = prefixOf(plugin)
        // A scan may show a key twice.
        const all = new Set<string>()
        await scan(plugin, (keys) => keys.forEach((key) => all.add(key.slice(length))))
        return [...all]
      }),
    ready: () => ask(async () => void (await redis.ping())),
    async close() {
      if (redis.status === 'ready') await redis.quit().catch(() => redis.disconnect())
      else redis.disconnect()
    },
  }
}

function prefixOf(plugin: string): string {
  return `${PREFIX}${plugin}:`
}

function unavailable(thrown: unknown, url: string): XCoreError {
  return new XCoreError(
    'redis_unavailable',
    `Expected Redis at ${addressOf(url)}, but: ${messageOf(thrown)}. Check REDIS_URL and that the server runs, or unset it to keep the cache in Postgres.`,
    { cause: thrown, retryAfterSeconds: 1 },
  )
}

/** Without user and password. */
function addressOf(url: string): string {
  if (!URL.canParse(url)) return 'the configured address'
  const { hostname, port, pathname } = new URL(url)
  return `${hostname || 'localhost'}:${port || '6379'}${pathname === '/' ? '' : pathname}`
}
