import { resolve } from 'node:path'
import { Value } from 'typebox/value'
import { XCoreError } from '../errors/index.ts'
import type { Issue } from '../errors/index.ts'
import type { Config } from './config.ts'
import { readEnvironment } from './environment.ts'
import { CONFIG_KEYS, definitionOf } from './keys.ts'
import type { ConfigKey } from './keys.ts'
import { SETTINGS } from './schema.ts'
import type { Settings } from './schema.ts'
import type { Setting } from './setting.ts'
import { validateApiKeys, validateSetting } from './validate.ts'
import { readConfigFile, readYaml } from './yaml-file.ts'

export interface LoadConfigOptions {
  /** Absolute. Default: the working directory of the process. */
  readonly cwd?: string
  /** From `--config`; it must exist. Default: `xcore.yaml` in `cwd`, if there is one. */
  readonly file?: string
  /** Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** From command line options, by key as in xcore.yaml: `{'http.port': 0}`. They win over everything; undefined ones don't count. */
  readonly overrides?: Partial<Readonly<Record<ConfigKey, unknown>>>
}

/**
 * Reads xcore.yaml, then the environment, which wins.
 * Throws XCoreError `config_invalid` that lists every unknown key and bad value in `issues` and in its message.
 */
export function loadConfig(options: LoadConfigOptions = {}): Config {
  const cwd = options.cwd ?? process.cwd()
  const file = resolve(cwd, options.file ?? 'xcore.yaml')
  const text = readConfigFile(file, options.file !== undefined)
  const fromFile = text === undefined ? { settings: [], issues: [] } : readYaml(file, text)
  const fromEnv = readEnvironment(options.env ?? process.env, cwd)

  const settings = [...fromFile.settings, ...fromEnv.settings, ...overridden(options.overrides ?? {}, cwd)]
  const issues: Issue[] = [...fromFile.issues, ...fromEnv.issues, ...settings.flatMap(validateSetting)]
  if (issues.length > 0) throw invalid(issues)

  const merged = merge([...defaults(cwd), ...settings])
  if (!Value.Check(SETTINGS, merged)) throw new XCoreError('internal_error', 'The defaults of the configuration do not fit its schema.')
  const where = settings.findLast(({ key }) => key === 'auth.keys')?.where ?? (() => 'auth.keys')
  const keyIssues = validateApiKeys(merged.auth.keys, where)
  if (keyIssues.length > 0) throw invalid(keyIssues)
  return deepFreeze(toConfig(merged))
}

function invalid(issues: readonly Issue[]): XCoreError {
  const list = issues.map(({ path, message }) => `  ${path}: ${message}`).join('\n')
  return new XCoreError('config_invalid', `The configuration is not valid:\n${list}\nAll keys are listed in docs/configuration.md.`, {
    issues,
  })
}

function defaults(cwd: string): Setting[] {
  return CONFIG_KEYS.map((key) => ({ key, value: definitionOf(key).default, where: () => 'default', baseDir: cwd }))
}

function overridden(overrides: Partial<Readonly<Record<ConfigKey, unknown>>>, cwd: string): Setting[] {
  return CONFIG_KEYS.flatMap((key) => {
    const value = overrides[key]
    return value === undefined ? [] : [{ key, value, where: () => 'command line', baseDir: cwd }]
  })
}

/** Later settings win. */
function merge(settings: readonly Setting[]): Record<string, unknown> {
  const tree: Record<string, Record<string, unknown> | unknown> = {}
  for (const { key, value, baseDir } of settings) {
    const final = definitionOf(key).path && typeof value === 'string' ? resolve(baseDir, value) : value
    const [section = key, name] = key.split('.')
    tree[section] = name === undefined ? final : { ...(tree[section] ?? {}), [name]: final }
  }
  return tree
}

function toConfig(settings: Settings): Config {
  const { http, plugins, data_dir, database, redis, queue, worker, auth, limits, retention, sandbox, log } = settings
  const groups = Object.entries(worker.groups).map(
    ([name, group]) => [name, { plugins: group.plugins, concurrency: group.concurrency ?? null }] as const,
  )
  return {
    http,
    plugins,
    dataDir: data_dir,
    database,
    redis: {
      url: redis.url,
      topology: redis.topology,
      nodes: redis.nodes,
      sentinelName: redis.sentinel_name,
      caFile: redis.ca_file,
      prefix: redis.prefix,
    },
    queue: { driver: queue.driver ?? (redis.url === null ? 'pg-boss' : 'bullmq') },
    worker: { groups: Object.fromEntries(groups), metricsPort: worker.metrics_port },
    auth,
    limits: { payloadBytes: limits.payload_bytes },
    retention,
    sandbox,
    log,
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const member of Object.values(value)) deepFreeze(member)
  }
  return value
}
