import type { Place } from './contender.ts'
import { startPostgres } from './postgres-server.ts'
import type { PostgresServer } from './postgres-server.ts'
import { startRedis } from './redis-server.ts'
import type { RedisServer } from './redis-server.ts'
import { Redis } from 'ioredis'

/** The servers that all contenders share, one at a time. */
export interface Servers {
  readonly postgres: PostgresServer
  readonly redis: RedisServer | undefined
  stop(): Promise<void>
}

export async function startServers(): Promise<Servers> {
  const redis = await startRedis()
  if (!redis) console.error('No redis-server on this machine: the BullMQ peers are left out (Debian: apt-get install redis-server).')
  try {
    const postgres = await startPostgres()
    return {
      postgres,
      redis,
      async stop() {
        await postgres.stop()
        await redis?.stop()
      },
    }
  } catch (cause) {
    await redis?.stop()
    throw cause
  }
}

let places = 0

/** Runs `use` in a fresh database (or a copy of `template`) and an emptied Redis; both are cleared after it. */
export async function inFreshPlace<T>(servers: Servers, template: string | undefined, use: (place: Place) => Promise<T>): Promise<T> {
  const database = `bench_${++places}`
  const place = { databaseUrl: await servers.postgres.create(database, template), redisUrl: servers.redis?.url ?? '' }
  await emptyRedis(servers.redis)
  await servers.postgres.checkpoint()
  try {
    return await use(place)
  } finally {
    await servers.postgres.drop(database)
  }
}

async function emptyRedis(redis: RedisServer | undefined): Promise<void> {
  if (!redis) return
  const client = new Redis(redis.url)
  try {
    await client.flushall()
  } finally {
    client.disconnect()
  }
}
