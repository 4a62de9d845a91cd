import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { XCoreError } from '../errors/index.ts'
import { CONFIG_KEYS, KEYS, loadConfig } from './index.ts'
import type { Config, ConfigKey, LoadConfigOptions } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'xcore-config-'))
after(() => rmSync(folder, { recursive: true }))

let files = 0
function load(options: Omit<LoadConfigOptions, 'cwd' | 'file'> & { yaml?: string } = {}): Config {
  const { yaml, ...rest } = options
  const at = { env: {}, ...rest, cwd: folder }
  if (yaml === undefined) return loadConfig(at)
  const file = join(folder, `${files++}.yaml`)
  writeFileSync(file, yaml)
  return loadConfig({ ...at, file })
}

/** The issues of a refused configuration, as `where: message`, with `FILE` for the file's name. */
function issues(options: Parameters<typeof load>[0]): string[] {
  try {
    load(options)
  } catch (thrown) {
    assert.ok(thrown instanceof XCoreError)
    assert.equal(thrown.code, 'config_invalid')
    for (const { path, message } of thrown.issues) assert.ok(thrown.message.includes(`${path}: ${message}`))
    return thrown.issues.map(({ path, message }) => `${path.replace(/^\d+\.yaml/, 'FILE')}: ${message}`)
  }
  assert.fail('expected the configuration to be refused')
}

const DEFAULTS: Config = {
  http: { host: '127.0.0.1', port: 8080 },
  plugins: { dir: join(folder, 'plugins') },
  dataDir: join(folder, '.xcore'),
  database: { url: null },
  redis: { url: null, topology: 'standalone', nodes: [], sentinelName: 'mymaster', caFile: null, prefix: 'xcore' },
  queue: { driver: 'pg-boss' },
  worker: { groups: {}, metricsPort: 9464 },
  auth: { keys: [] },
  limits: { payloadBytes: 262_144 },
  retention: { days: 30 },
  sandbox: { require: 'permission' },
  log: { level: 'info', redact: [] },
}

/** Per key: YAML, what the environment says instead, and how to read it back, with both values. */
const SAMPLES: Record<ConfigKey, { yaml: string; fromYaml: unknown; env: string; fromEnv: unknown; read: (config: Config) => unknown }> = {
  'http.host': { yaml: 'http: {host: 0.0.0.0}', fromYaml: '0.0.0.0', env: '::1', fromEnv: '::1', read: (c) => c.http.host },
  'http.port': { yaml: 'http: {port: 1}', fromYaml: 1, env: '0', fromEnv: 0, read: (c) => c.http.port },
  'plugins.dir': {
    yaml: 'plugins: {dir: a/b}',
    fromYaml: join(folder, 'a/b'),
    env: '/opt/p',
    fromEnv: '/opt/p',
    read: (c) => c.plugins.dir,
  },
  data_dir: { yaml: 'data_dir: ../d', fromYaml: join(folder, '../d'), env: 'x', fromEnv: join(folder, 'x'), read: (c) => c.dataDir },
  'database.url': {
    yaml: 'database: {url: "postgres://a/b"}',
    fromYaml: 'postgres://a/b',
    env: 'postgresql://c/d',
    fromEnv: 'postgresql://c/d',
    read: (c) => c.database.url,
  },
  'redis.url': {
    yaml: 'redis: {url: "redis://a"}',
    fromYaml: 'redis://a',
    env: 'rediss://b',
    fromEnv: 'rediss://b',
    read: (c) => c.redis.url,
  },
  'redis.topology': {
    yaml: 'redis: {topology: cluster}',
    fromYaml: 'cluster',
    env: 'sentinel',
    fromEnv: 'sentinel',
    read: (c) => c.redis.topology,
  },
  'redis.nodes': {
    yaml: 'redis: {nodes: ["a:1", "[::1]:2"]}',
    fromYaml: ['a:1', '[::1]:2'],
    env: 'b:3, c:4',
    fromEnv: ['b:3', 'c:4'],
    read: (c) => c.redis.nodes,
  },
  'redis.sentinel_name': {
    yaml: 'redis: {sentinel_name: jobs}',
    fromYaml: 'jobs',
    env: 'other',
    fromEnv: 'other',
    read: (c) => c.redis.sentinelName,
  },
  'redis.ca_file': {
    yaml: 'redis: {ca_file: tls/ca.pem}',
    fromYaml: join(folder, 'tls/ca.pem'),
    env: '/etc/ca.pem',
    fromEnv: '/etc/ca.pem',
    read: (c) => c.redis.caFile,
  },
  'redis.prefix': { yaml: 'redis: {prefix: shop}', fromYaml: 'shop', env: 'x.y', fromEnv: 'x.y', read: (c) => c.redis.prefix },
  'queue.driver': { yaml: 'queue: {driver: bullmq}', fromYaml: 'bullmq', env: 'pg-boss', fromEnv: 'pg-boss', read: (c) => c.queue.driver },
  'worker.groups': {
    yaml: 'worker: {groups: {mail: {plugins: [m*], concurrency: 5}, rest: {plugins: ["*"]}}}',
    fromYaml: { mail: { plugins: ['m*'], concurrency: 5 }, rest: { plugins: ['*'], concurrency: null } },
    env: '',
    fromEnv: undefined,
    read: (c) => c.worker.groups,
  },
  'worker.metrics_port': { yaml: 'worker: {metrics_port: 1}', fromYaml: 1, env: '2', fromEnv: 2, read: (c) => c.worker.metricsPort },
  'auth.keys': {
    yaml: 'auth: {keys: [{name: a, scopes: [call, emit], key: k}]}',
    fromYaml: [{ name: 'a', scopes: ['call', 'emit'], key: 'k' }],
    env: 'b:read+operate:x:y, c:call:z',
    fromEnv: [
      { name: 'b', scopes: ['read', 'operate'], key: 'x:y' },
      { name: 'c', scopes: ['call'], key: 'z' },
    ],
    read: (c) => c.auth.keys,
  },
  'limits.payload_bytes': { yaml: 'limits: {payload_bytes: 10}', fromYaml: 10, env: '20', fromEnv: 20, read: (c) => c.limits.payloadBytes },
  'retention.days': { yaml: 'retention: {days: 1}', fromYaml: 1, env: '90', fromEnv: 90, read: (c) => c.retention.days },
  'log.redact': {
    yaml: 'log: {redact: [payload.password]}',
    fromYaml: ['payload.password'],
    env: '*.token, headers["x-secret"]',
    fromEnv: ['*.token', 'headers["x-secret"]'],
    read: (c) => c.log.redact,
  },
  'sandbox.require': { yaml: 'sandbox: {require: uid}', fromYaml: 'uid', env: 'bwrap', fromEnv: 'bwrap', read: (c) => c.sandbox.require },
  'log.level': { yaml: 'log: {level: debug}', fromYaml: 'debug', env: 'silent', fromEnv: 'silent', read: (c) => c.log.level },
}

describe('loadConfig', () => {
  test('with nothing set, all defaults', () => {
    assert.deepEqual(load(), DEFAULTS)
    assert.deepEqual(load({ yaml: '' }), DEFAULTS)
    assert.deepEqual(load({ yaml: '# only a comment\nhttp:\nlog: {level: }\n' }), DEFAULTS)
  })

  for (const key of CONFIG_KEYS) {
    const { yaml, fromYaml, env, fromEnv, read } = SAMPLES[key]
    test(`${key} from the file; the environment wins`, () => {
      assert.deepEqual(read(load({ yaml })), fromYaml)
      const name: string | null = KEYS[key].env
      if (name !== null) assert.deepEqual(read(load({ yaml, env: { [name]: env } })), fromEnv)
    })
  }

  test('options of the command line win over both', () => {
    const config = load({ yaml: 'http: {port: 1}', env: { XCORE_HTTP_PORT: '2' }, overrides: { 'http.port': 3, 'http.host': undefined } })
    assert.deepEqual(config.http, { host: '127.0.0.1', port: 3 })
    assert.deepEqual(issues({ overrides: { 'http.port': 'x' } }), [
      'command line: http.port: expected an integer from 0 to 65535 (0 picks a free port), found "x"',
    ])
  })

  test('xcore.yaml in the working directory is read without being asked for', () => {
    const cwd = mkdtempSync(join(folder, 'cwd-'))
    writeFileSync(join(cwd, 'xcore.yaml'), 'http: {port: 5}')
    assert.equal(loadConfig({ cwd, env: {} }).http.port, 5)
  })

  test('relative paths start at the folder of the file, those of the environment at the working directory', () => {
    const other = mkdtempSync(join(folder, 'other-'))
    writeFileSync(join(other, 'c.yaml'), 'plugins: {dir: p}\ndata_dir: d')
    const config = loadConfig({ cwd: folder, file: join(other, 'c.yaml'), env: { XCORE_DATA_DIR: 'd' } })
    assert.equal(config.plugins.dir, join(other, 'p'))
    assert.equal(config.dataDir, join(folder, 'd'))
  })

  test('a Redis URL chooses bullmq, unless the driver is named', () => {
    const env = { REDIS_URL: 'redis://localhost' }
    assert.equal(load({ env }).queue.driver, 'bullmq')
    assert.equal(load({ env, yaml: 'queue: {driver: pg-boss}' }).queue.driver, 'pg-boss')
  })

  test('an empty variable counts as not set; those of tests, of the client and of others are none of our business', () => {
    const env = {
      XCORE_HTTP_PORT: '',
      DATABASE_URL: ' ',
      XCORE_TEST_X: '1',
      XCORE_URL: 'http://a',
      XCORE_API_KEY: 'k',
      PATH: '/bin',
      unset: undefined,
    }
    assert.deepEqual(load({ env }), DEFAULTS)
  })

  test('the result is frozen all the way down', () => {
    const config = load({ yaml: SAMPLES['auth.keys'].yaml })
    const seen = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      assert.ok(Object.isFrozen(value))
      Object.values(value).forEach(seen)
    }
    seen(config)
  })
})

describe('a configuration that is refused', () => {
  const cases: readonly (readonly [string, Parameters<typeof load>[0], readonly string[]])[] = [
    [
      'unknown keys, with the line and a near match',
      { yaml: 'http:\n  prot: 1\nlogging: {}\nzebra: 1' },
      [
        'FILE:2: unknown key "http.prot". Did you mean "port"?',
        'FILE:3: unknown key "logging". Did you mean "log"?',
        'FILE:4: unknown key "zebra".',
      ],
    ],
    [
      'unknown variables',
      { env: { XCORE_HTPP_PORT: '1' } },
      ['XCORE_HTPP_PORT: unknown environment variable. Did you mean "XCORE_HTTP_PORT"?'],
    ],
    [
      'a wrong type',
      { yaml: 'http:\n  port: "80"' },
      ['FILE:2: http.port: expected an integer from 0 to 65535 (0 picks a free port), found "80"'],
    ],
    [
      'a number out of range',
      { env: { XCORE_HTTP_PORT: '65536' } },
      ['XCORE_HTTP_PORT: http.port: expected an integer from 0 to 65535 (0 picks a free port), found 65536'],
    ],
    [
      'a fraction',
      { env: { XCORE_RETENTION_DAYS: '1.5' } },
      ['XCORE_RETENTION_DAYS: retention.days: expected an integer from 1 to 36500, found 1.5'],
    ],
    [
      'zero for a limit',
      { yaml: 'limits: {payload_bytes: 0}' },
      ['FILE:1: limits.payload_bytes: expected an integer from 1 to 67108864, found 0'],
    ],
    ['a section that is no mapping', { yaml: 'http: 8080' }, ['FILE:1: http: expected a mapping of keys']],
    ['a file that is no mapping', { yaml: '- http' }, ['FILE:1: the file: expected a mapping of keys']],
    [
      'a level that does not exist',
      { yaml: 'log: {level: verbose}' },
      ['FILE:1: log.level: expected one of fatal, error, warn, info, debug, trace, silent, found "verbose"'],
    ],
    [
      'a driver that does not exist',
      { env: { XCORE_QUEUE_DRIVER: 'pgboss' } },
      ['XCORE_QUEUE_DRIVER: queue.driver: expected pg-boss or bullmq, found "pgboss"'],
    ],
    [
      'a group without plugins',
      { yaml: 'worker:\n  groups:\n    a:\n      plugin: [x]' },
      [
        'FILE:4: worker.groups.a: must have required properties plugins, found {"plugin":["x"]}',
        'FILE:4: worker.groups.a.plugin: this name is not allowed here. Did you mean "plugins"?',
      ],
    ],
    [
      'a scope that does not exist',
      { yaml: 'auth:\n  keys:\n    - {name: a, scopes: [read], key: k}\n    - {name: b, scopes: [cal], key: l}' },
      ['FILE:4: auth.keys.1.scopes.0: expected one of call, emit, read, operate, found "cal". Did you mean "call"?'],
    ],
    [
      'three keys of one name',
      { env: { XCORE_API_KEYS: 'a:call:k,a:read:l,a:read:m' } },
      ['XCORE_API_KEYS: auth.keys: expected at most two keys of one name, found a third of "a"'],
    ],
    [
      'a path that no log line can have',
      { yaml: 'log:\n  redact: [a..b]' },
      [
        'FILE:2: log.redact: expected a list of paths such as payload.password or *.token, in the environment comma-separated, found ["a..b"]',
      ],
    ],
    [
      'one key under two names',
      { env: { XCORE_API_KEYS: 'a:call:k,b:read:k' } },
      ['XCORE_API_KEYS: auth.keys: expected distinct keys, but "b" has the key of another entry'],
    ],
    [
      'all at once',
      { yaml: 'a: 1\nhttp: {port: -1}', env: { XCORE_B: '1', XCORE_LOG_LEVEL: 'x' } },
      [
        'FILE:1: unknown key "a".',
        'XCORE_B: unknown environment variable.',
        'FILE:2: http.port: expected an integer from 0 to 65535 (0 picks a free port), found -1',
        'XCORE_LOG_LEVEL: log.level: expected one of fatal, error, warn, info, debug, trace, silent, found "x"',
      ],
    ],
  ]
  for (const [what, options, expected] of cases) test(what, () => assert.deepEqual(issues(options), expected))

  test('what is not YAML, or names a key twice', () => {
    assert.match(issues({ yaml: 'http: {port: 1' }).join('\n'), /^FILE:1: not valid YAML: /)
    assert.match(issues({ yaml: 'log: {level: info}\nlog: {level: warn}' }).join('\n'), /^FILE:2: not valid YAML: Map keys must be unique/)
  })

  test('a file that was asked for and is not there', () => {
    assert.throws(() => loadConfig({ cwd: folder, file: 'none.yaml', env: {} }), { code: 'config_invalid', message: /none\.yaml.*ENOENT/ })
  })

  test('secrets are not shown', () => {
    const refused = [
      issues({ env: { DATABASE_URL: 'mysql://me:hunter2@host' } }),
      issues({ env: { REDIS_URL: 'http://me:hunter2@host' } }),
      issues({ env: { XCORE_API_KEYS: 'hunter2' } }),
      issues({ env: { XCORE_API_KEYS: 'a:nonsense:hunter2' } }),
      issues({ env: { XCORE_API_KEYS: 'a:call:hunter2 hunter2' } }),
      issues({ yaml: 'auth: {keys: [{name: a, scope: [call], key: hunter2}]}' }),
      issues({ yaml: 'auth: {keys: hunter2}' }),
    ]
    for (const messages of refused) assert.doesNotMatch(messages.join('\n'), /hunter2/)
  })

  test('names that mean something to JavaScript are ordinary unknown keys', () => {
    assert.deepEqual(issues({ yaml: '__proto__: {http: 1}\nconstructor: 1' }), [
      'FILE:1: unknown key "__proto__".',
      'FILE:2: unknown key "constructor".',
    ])
    assert.deepEqual(issues({ env: { XCORE_constructor: '1' } }), ['XCORE_constructor: unknown environment variable.'])
  })
})
