import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { Cluster, Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import { XCoreError, messageOf } from '../errors/index.ts'
import type { RedisSettings } from './settings.ts'

export type RedisClient = Redis | Cluster

/** How one user of Redis wants to be served; where Redis is, and in which shape, is the settings' matter. */
export interface ClientBehaviour {
  /** Shown by `CLIENT LIST`. */
  readonly name: string
  readonly connectTimeoutMs: number
  /** Nothing came back for so long although something was asked: the connection is closed and opened again. Not a timer for each command. */
  readonly silenceMs: number
  /** How often a command is sent again after its connection broke. */
  readonly resends: number
  /** Whether commands wait for a connection that is not there; else they fail at once. */
  readonly queued: boolean
  /** What is issued in one turn of the event loop leaves in one write. */
  readonly pipelined: boolean
  /** In milliseconds, before connection attempt number `tries`. */
  readonly pause: (tries: number) => number
}

/** A connection that is not open yet, and that is opened again for ever once it is lost. Throws `config_invalid` for a CA that cannot be read. */
export function createClient(settings: RedisSettings, behaviour: ClientBehaviour): RedisClient {
  const url = new URL(settings.url)
  const { pause } = behaviour
  const tls = url.protocol === 'rediss:' ? tlsOf(settings) : undefined
  const common = {
    ...loginOf(url),
    ...(tls === undefined ? {} : { tls }),
    lazyConnect: true,
    connectTimeout: behaviour.connectTimeoutMs,
    socketTimeout: behaviour.silenceMs,
    maxRetriesPerRequest: behaviour.resends,
    connectionName: behaviour.name,
    // A master that became a replica behind an open connection: the next connection finds the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions
  const queueing = { enableOfflineQueue: behaviour.queued, enableAutoPipelining: behaviour.pipelined }
  switch (settings.topology) {
    case 'cluster':
      return new Cluster([url, ...settings.nodes.map(asUrl)].map(addressOf), {
        ...queueing,
        lazyConnect: true,
        clusterRetryStrategy: pause,
        // Nodes are told by their addresses; a certificate is for the name that was configured.
        redisOptions: tls === undefined || isIP(hostOf(url)) ? common : { ...common, tls: { ...tls, servername: hostOf(url) } },
        slotsRefreshTimeout: behaviour.connectTimeoutMs,
      })
    case 'sentinel':
      return new Redis({
        ...common,
        ...queueing,
        db: databaseOf(url),
        sentinels: [url, ...settings.nodes.map(asUrl)].map(addressOf),
        name: settings.sentinelName,
        ...(tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: tls }),
        sentinelRetryStrategy: pause,
        retryStrategy: pause,
      })
    case 'standalone':
      return new Redis({ ...common, ...queueing, ...addressOf(url), db: databaseOf(url), retryStrategy: pause })
  }
}

/** Where it is, without the password. */
export function shownAddress({ url, topology }: Pick<RedisSettings, 'url' | 'topology'>): string {
  const { hostname, port, pathname } = new URL(url)
  const where = `${hostname}:${port || 6379}${topology === 'cluster' ? '' : pathname.replace(/^\/$/, '')}`
  return topology === 'standalone' ? where : `${topology} ${where}`
}

function tlsOf({ caFile }: RedisSettings): NonNullable<RedisOptions['tls']> {
  if (caFile === null) return {}
  try {
    return { ca: readFileSync(caFile) }
  } catch (cause) {
    throw new XCoreError(
      'config_invalid',
      `redis.ca_file: expected a file with certificates in PEM at ${caFile}, found: ${messageOf(cause)}. Correct XCORE_REDIS_CA_FILE.`,
      { cause },
    )
  }
}

function loginOf(url: URL): Pick<RedisOptions, 'username' | 'password'> {
  const password = decodeURIComponent(url.password)
  const username = decodeURIComponent(url.username)
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) }
}

function databaseOf(url: URL): number {
  return Number(url.pathname.replace('/', '') || 0)
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

function addressOf(url: URL): { host: string; port: number } {
  return { host: hostOf(url), port: Number(url.port || 6379) }
}

function asUrl(node: string): URL {
  return new URL(`redis://${node}`)
}
