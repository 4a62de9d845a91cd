import type { Place } from './contender.ts'
import type { BenchOptions } from './options.ts'
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

/** Those that `--only` names (all without it) and that this machine has the servers for. */
export function chosen<T extends { readonly name: string; readonly needsRedis: boolean }>(
  all: readonly T[],
  servers: Servers,
  { only }: BenchOptions,
): T[] {
  return all.filter(
    ({ name, needsRedis }) => (only.length === 0 || only.some((prefix) => name.startsWith(prefix))) && (!needsRedis || servers.redis),
  )
}

let places = 0

/** Where the runs of a bench take place. */
export type Ground = <T>(use: (place: Place) => Promise<T>) => Promise<T>

/** Gives each run a fresh database, dropped after it, and an emptied Redis. */
export function freshGround(servers: Servers): Ground {
  return (use) => inFreshPlace(servers, use)
}

/** Gives each run the same place, as the run before left it. */
export function sameGround(servers: Servers, place: Place): Ground {
  return async (use) => {
    await servers.postgres.checkpoint()
    return use(place)
  }
}

export async function inFreshPlace<T>(servers: Servers, use: (place: Place) => Promise<T>): Promise<T> {
  const database = `bench_${++places}`
  const place = { databaseUrl: await servers.postgres.create(database), redisUrl: servers.redis?.url ?? '' }
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
