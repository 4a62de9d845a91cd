import { XCoreError, messageOf } from '../../errors/index.ts'
import { Cluster, Redis } from 'ioredis'
import type { RedisClient } from '../../redis/client.ts'
import { shownAddress } from '../../redis/client.ts'
import type { RedisSettings } from '../../redis/settings.ts'

const OLDEST: readonly [number, number] = [6, 2]
const CONNECT_MS = 10_000
/** How the client's words begin when it has asked all sentinels in vain. */
const NO_SENTINEL = 'All sentinels are unreachable'

/** Opens the connection. Throws XCoreError `queue_unavailable` that says what is wrong: address, credentials, TLS. */
export async function connect(client: RedisClient, settings: RedisSettings): Promise<void> {
  let last: unknown
  const late = Promise.withResolvers<never>()
  const onError = (error: unknown) => {
    last = error
    if (messageOf(error).startsWith(NO_SENTINEL)) late.reject(error)
  }
  client.on('error', onError)
  if (client instanceof Cluster) client.on('node error', onError)
  const timer = setTimeout(() => late.reject(new Error('no answer')), CONNECT_MS)
  try {
    await Promise.race([client.connect(), failedFor(client, () => last), late.promise])
    await client.ping()
    // The client itself goes on in database 0 when it is refused another one.
    if (client instanceof Redis && (client.options.db ?? 0) !== 0) await client.select(client.options.db ?? 0)
  } catch (error) {
    client.disconnect()
    throw unreachable(settings, last ?? error)
  } finally {
    clearTimeout(timer)
    client.off('error', onError)
    client.off('node error', onError)
  }
}

/** The client tries again for ever; at the start the first refusal is the answer. */
function failedFor(client: RedisClient, reason: () => unknown): Promise<never> {
  return new Promise((_, reject) => {
    client.once('close', () => reject(reason() ?? new Error('the connection was closed')))
  })
}

/** A Redis that is greeted in TLS where it speaks none, or the other way round, says nothing or hangs up. */
const otherwise = (url: string) =>
  `Check redis.url (REDIS_URL), redis.topology, that Redis runs and that it speaks ${url.startsWith('rediss:') ? 'TLS on this port; without TLS it is redis://' : 'no TLS on this port; with TLS it is rediss://'}.`
const REMEDIES: readonly { readonly of: RegExp; readonly remedy: string }[] = [
  {
    of: /WRONGPASS|NOAUTH|NOPERM|invalid username/i,
    remedy: 'Put the user and password that Redis expects into redis.url (REDIS_URL): redis://USER:PASSWORD@HOST:PORT.',
  },
  {
    of: /ERR_TLS_CERT_ALTNAME_INVALID|altnames/,
    remedy: 'The certificate is for other names: put one of them into redis.url (REDIS_URL), or give Redis a certificate for this one.',
  },
  {
    of: /DB index is out of range/,
    remedy: 'Redis has no database of this number: put one below its setting `databases` at the end of redis.url (REDIS_URL).',
  },
  {
    of: /CERT|SIGNATURE|certificate/,
    remedy:
      'Set redis.ca_file (XCORE_REDIS_CA_FILE) to the certificate of the authority that signed that of Redis, and look whether it is still valid.',
  },
  {
    of: new RegExp(NO_SENTINEL),
    remedy:
      'Check that redis.url (REDIS_URL) and redis.nodes name sentinels, that one of them runs, and that they know redis.sentinel_name (XCORE_REDIS_SENTINEL_NAME).',
  },
]

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : ''
}

function unreachable(settings: RedisSettings, cause: unknown): XCoreError {
  const message = messageOf(cause).replace(/ Retrying from scratch after [\d.]+ms\./, '')
  const remedy = REMEDIES.find(({ of }) => of.test(`${codeOf(cause)} ${message}`))?.remedy ?? otherwise(settings.url)
  return new XCoreError(
    'queue_unavailable',
    `Expected a Redis at ${shownAddress(settings)}, found: ${message.replace(/\.$/, '')}. ${remedy}`,
    {
      cause,
      retryAfterSeconds: 5,
    },
  )
}

/** Throws XCoreError `queue_unsuitable` when jobs would not be safe on this server. Returns its version. */
export async function checkServer(client: RedisClient, settings: RedisSettings): Promise<string> {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client]
  let version = ''
  for (const node of nodes) {
    const info = await node.info()
    version = fieldOf(info, 'redis_version') ?? '0'
    checkVersion(version, settings)
    checkPolicy(fieldOf(info, 'maxmemory_policy'), settings)
    const topology =
      fieldOf(info, 'cluster_enabled') === '1' ? 'cluster' : settings.topology === 'cluster' ? 'standalone' : settings.topology
    if (topology !== settings.topology) {
      throw unsuitable(
        settings,
        `redis.topology ${topology}`,
        `redis.topology ${settings.topology}`,
        `Set redis.topology (XCORE_REDIS_TOPOLOGY) to ${topology}.`,
      )
    }
  }
  return version
}

function checkVersion(version: string, settings: RedisSettings): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return
  throw unsuitable(
    settings,
    `Redis ${OLDEST.join('.')} or newer`,
    `version ${version}`,
    'Upgrade Redis (it is developed on 7), or use a compatible Valkey.',
  )
}

function checkPolicy(policy: string | undefined, settings: RedisSettings): void {
  if (policy === undefined || policy === 'noeviction') return
  throw unsuitable(
    settings,
    'maxmemory-policy noeviction',
    policy,
    'Redis would throw jobs away when it is full: `CONFIG SET maxmemory-policy noeviction`, and the same in redis.conf.',
  )
}

function unsuitable(settings: RedisSettings, expected: string, found: string, remedy: string): XCoreError {
  return new XCoreError('queue_unsuitable', `Redis at ${shownAddress(settings)}: expected ${expected}, found ${found}. ${remedy}`)
}

function fieldOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim()
}
