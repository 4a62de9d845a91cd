import { Cluster } from 'ioredis'
import { XCoreError, messageOf } from '../../../errors/index.ts'
import { createClient, shownAddress } from '../../../redis/client.ts'
import type { RedisSettings } from '../../../redis/settings.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { CacheStore } from '../port.ts'

export interface RedisCacheOptions {
  readonly redis: RedisSettings
  readonly logger: Logger
  /** How long Redis may be silent while a command waits for its answer, and how long a connection may take. Default 2,000. */
  readonly timeoutMs?: number
}

export interface RedisCacheStore extends CacheStore {
  /** Resolves when Redis answers. Throws `redis_unavailable`. */
  ready(): Promise<void>
  close(): Promise<void>
}

const SCAN_COUNT = 1_000

/**
 * The cache in Redis, one key an entry: `xcore:cache:{PLUGIN}:KEY`. A plugin's name holds no colon, so plugins can't meet; the braces put all
 * keys of a plugin into one slot of a Redis Cluster, so that several can be read and written at once.
 */
export function createRedisCacheStore(options: RedisCacheOptions): RedisCacheStore {
  const { logger, timeoutMs = 2_000 } = options
  const redis = createClient(options.redis, {
    name: 'xcore-cache',
    silenceMs: timeoutMs,
    connectTimeoutMs: timeoutMs,
    resends: 1,
    queued: true,
    pipelined: false,
    pause: (tries) => Math.min(50 * 2 ** Math.min(tries, 10), 2_000),
  })
  const prefixOf = (plugin: string) => `${options.redis.prefix}:cache:{${plugin}}:`
  // Without a listener the event would end the process; commands report the same trouble to their callers.
  redis.on('error', (err) => logger.debug({ err }, 'the connection to Redis is in trouble'))

  function fail(thrown: unknown): never {
    throw unavailable(thrown, options.redis)
  }
  function ask<T>(work: () => Promise<T>): Promise<T> {
    return work().catch(fail)
  }

  async function scan(plugin: string, each: (keys: readonly string[]) => Promise<unknown> | void): Promise<void> {
    const pattern = `${prefixOf(plugin).replaceAll(/[\\*?[\]]/g, '\\$&')}*`
    for (const node of redis instanceof Cluster ? redis.nodes('master') : [redis]) {
      let cursor = '0'
      do {
        const [next, found] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT)
        if (found.length > 0) await each(found)
        cursor = next
      } while (cursor !== '0')
    }
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
      // `quit` of a cluster may never resolve.
      if (redis.status === 'ready' && !(redis instanceof Cluster)) await redis.quit().catch(() => redis.disconnect())
      else redis.disconnect()
    },
  }
}

function unavailable(thrown: unknown, redis: RedisSettings): XCoreError {
  return new XCoreError(
    'redis_unavailable',
    `Expected Redis at ${shownAddress(redis)}, but: ${messageOf(thrown)}. Check REDIS_URL and that the server runs, or unset it to keep the cache in Postgres.`,
    { cause: thrown, retryAfterSeconds: 1 },
  )
}
