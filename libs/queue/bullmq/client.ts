import { Cluster, Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import type { RedisSettings } from './settings.ts'

export type RedisClient = Redis | Cluster

/** A command that got no answer for so long has failed, although it may have run: everything here may run twice. */
const COMMAND_TIMEOUT_MS = 5_000
const CONNECT_TIMEOUT_MS = 5_000
const LONGEST_PAUSE_MS = 2_000

const pauseAfter = (tries: number) => Math.min(50 * 2 ** Math.min(tries, 10), LONGEST_PAUSE_MS) * (1 + Math.random() / 4)

/**
 * A connection that is not open yet. Lost, it is opened again for ever; meanwhile commands fail at once instead of piling up in
 * memory: who waits for Redis decides by itself how long.
 */
export function createClient(settings: RedisSettings, role: 'commands' | 'subscriber'): RedisClient {
  const url = new URL(settings.url)
  const login = loginOf(url)
  const common = {
    ...login,
    ...(url.protocol === 'rediss:' ? { tls: { servername: url.hostname } } : {}),
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    connectionName: `xcore-${role}`,
  } satisfies RedisOptions
  // What is issued in one turn of the event loop leaves in one write: a batch of jobs costs one round trip.
  const behaviour = { enableOfflineQueue: false, enableAutoPipelining: role === 'commands' }
  switch (settings.topology) {
    case 'cluster':
      return new Cluster([url, ...settings.nodes.map(asUrl)].map(addressOf), {
        ...behaviour,
        lazyConnect: true,
        clusterRetryStrategy: pauseAfter,
        redisOptions: common,
        slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
      })
    case 'sentinel':
      return new Redis({
        ...common,
        ...behaviour,
        db: databaseOf(url),
        sentinels: [url, ...settings.nodes.map(asUrl)].map(addressOf),
        name: settings.sentinelName,
        ...(url.protocol === 'rediss:' ? { enableTLSForSentinelMode: true } : {}),
        sentinelRetryStrategy: pauseAfter,
        retryStrategy: pauseAfter,
      })
    case 'standalone':
      return new Redis({ ...common, ...behaviour, ...addressOf(url), db: databaseOf(url), retryStrategy: pauseAfter })
  }
}

/** Where it is, without the password. */
export function shownAddress({ url, topology }: Pick<RedisSettings, 'url' | 'topology'>): string {
  const { hostname, port, pathname } = new URL(url)
  const where = `${hostname}:${port || 6379}${topology === 'cluster' ? '' : pathname.replace(/^\/$/, '')}`
  return topology === 'standalone' ? where : `${topology} ${where}`
}

function loginOf(url: URL): Pick<RedisOptions, 'username' | 'password'> {
  const password = decodeURIComponent(url.password)
  const username = decodeURIComponent(url.username)
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) }
}

function databaseOf(url: URL): number {
  return Number(url.pathname.replace('/', '') || 0)
}

function addressOf(url: URL): { host: string; port: number } {
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 6379) }
}

function asUrl(node: string): URL {
  return new URL(`redis://${node}`)
}
