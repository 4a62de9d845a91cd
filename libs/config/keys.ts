import type { TSchema } from 'typebox'
import { parseApiKeys } from './api-keys.ts'
import { SETTINGS } from './schema.ts'

/** One configuration key. docs/configuration.md is tested against the list of them in both directions. */
export interface KeyDefinition {
  /** Environment variable; null: only in the file. */
  readonly env: string | null
  readonly schema: TSchema
  /** Completes "expected …". */
  readonly expected: string
  /** Of the environment variable's text; what it can't read it returns as it is, for the schema to refuse. */
  readonly fromText: (text: string) => unknown
  /** Never shown in messages. */
  readonly secret: boolean
  /** Relative paths are resolved against the place they came from. */
  readonly path: boolean
  /** Field names within a list or mapping value, for did-you-mean. */
  readonly members: readonly string[]
  readonly default: unknown
}

const S = SETTINGS.properties
const asIs = (text: string): unknown => text
const asNumber = (text: string): unknown => (/^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text)
const asList = (text: string): unknown =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
const plain = { env: null, fromText: asIs, secret: false, path: false, members: [], default: null } as const

export const KEYS = {
  'http.host': {
    ...plain,
    env: 'XCORE_HTTP_HOST',
    schema: S.http.properties.host,
    expected: 'a host name or an IP address',
    default: '127.0.0.1',
  },
  'http.port': {
    ...plain,
    env: 'XCORE_HTTP_PORT',
    schema: S.http.properties.port,
    expected: 'an integer from 0 to 65535 (0 picks a free port)',
    fromText: asNumber,
    default: 8080,
  },
  'plugins.dir': {
    ...plain,
    env: 'XCORE_PLUGINS_DIR',
    schema: S.plugins.properties.dir,
    expected: 'the path of a folder',
    path: true,
    default: 'plugins',
  },
  data_dir: { ...plain, env: 'XCORE_DATA_DIR', schema: S.data_dir, expected: 'the path of a folder', path: true, default: '.xcore' },
  'database.url': {
    ...plain,
    env: 'DATABASE_URL',
    schema: S.database.properties.url,
    expected: 'a postgres:// or postgresql:// URL',
    secret: true,
  },
  'redis.url': {
    ...plain,
    env: 'REDIS_URL',
    schema: S.redis.properties.url,
    expected: 'a redis:// or rediss:// URL, at its end a database number if any',
    secret: true,
  },
  'redis.topology': {
    ...plain,
    env: 'XCORE_REDIS_TOPOLOGY',
    schema: S.redis.properties.topology,
    expected: 'standalone, cluster or sentinel',
    default: 'standalone',
  },
  'redis.nodes': {
    ...plain,
    env: 'XCORE_REDIS_NODES',
    schema: S.redis.properties.nodes,
    expected: 'a list of HOST:PORT, in the environment comma-separated',
    fromText: asList,
    default: [],
  },
  'redis.sentinel_name': {
    ...plain,
    env: 'XCORE_REDIS_SENTINEL_NAME',
    schema: S.redis.properties.sentinel_name,
    expected: 'the name of the master that Sentinel watches',
    default: 'mymaster',
  },
  'redis.ca_file': {
    ...plain,
    env: 'XCORE_REDIS_CA_FILE',
    schema: S.redis.properties.ca_file,
    expected: 'the path of a file',
    path: true,
  },
  'redis.prefix': {
    ...plain,
    env: 'XCORE_REDIS_PREFIX',
    schema: S.redis.properties.prefix,
    expected: 'letters, digits, "_", "-" and ".", at most 64',
    default: 'xcore',
  },
  'queue.driver': { ...plain, env: 'XCORE_QUEUE_DRIVER', schema: S.queue.properties.driver, expected: 'pg-boss or bullmq' },
  'worker.groups': {
    ...plain,
    schema: S.worker.properties.groups,
    expected: 'a mapping {NAME: {plugins: [GLOB, …], concurrency: 1–10000}}',
    members: ['plugins', 'concurrency'],
    default: {},
  },
  'worker.metrics_port': {
    ...plain,
    env: 'XCORE_WORKER_METRICS_PORT',
    schema: S.worker.properties.metrics_port,
    expected: 'an integer from 0 to 65535 (0 picks a free port)',
    fromText: asNumber,
    default: 9464,
  },
  'auth.keys': {
    ...plain,
    env: 'XCORE_API_KEYS',
    schema: S.auth.properties.keys,
    expected: 'a list of {name, scopes, key}, in the environment name:scope+scope:key,…',
    fromText: parseApiKeys,
    secret: true,
    members: ['name', 'scopes', 'key'],
    default: [],
  },
  'limits.payload_bytes': {
    ...plain,
    env: 'XCORE_LIMITS_PAYLOAD_BYTES',
    schema: S.limits.properties.payload_bytes,
    expected: 'an integer from 1 to 67108864',
    fromText: asNumber,
    default: 262_144,
  },
  'retention.days': {
    ...plain,
    env: 'XCORE_RETENTION_DAYS',
    schema: S.retention.properties.days,
    expected: 'an integer from 1 to 36500',
    fromText: asNumber,
    default: 30,
  },
  'sandbox.require': {
    ...plain,
    env: 'XCORE_SANDBOX_REQUIRE',
    schema: S.sandbox.properties.require,
    expected: 'permission, uid or bwrap',
    default: 'permission',
  },
  'log.level': {
    ...plain,
    env: 'XCORE_LOG_LEVEL',
    schema: S.log.properties.level,
    expected: 'one of fatal, error, warn, info, debug, trace, silent',
    default: 'info',
  },
  'log.redact': {
    ...plain,
    env: 'XCORE_LOG_REDACT',
    schema: S.log.properties.redact,
    expected: 'a list of paths such as payload.password or *.token, in the environment comma-separated',
    fromText: (text: string): unknown => text.split(',').map((path) => path.trim()),
    default: [],
  },
} as const satisfies Record<string, KeyDefinition>

export type ConfigKey = keyof typeof KEYS

export function isConfigKey(name: string): name is ConfigKey {
  return Object.hasOwn(KEYS, name)
}

export function definitionOf(key: ConfigKey): KeyDefinition {
  return KEYS[key]
}

export const CONFIG_KEYS: readonly ConfigKey[] = Object.keys(KEYS).filter(isConfigKey)
