import { XCoreError, type Issue } from '../errors/index.ts'
import { pluginName, type Json, type JsonObject } from '../event-log/index.ts'
import { checkManifest } from './issues.ts'
import type { ActionSettings, Manifest, RetrySettings } from './manifest.ts'
import type { WrittenManifest } from './schema.ts'
import { isObject, readText, type ManifestText } from './source.ts'

export const DEFAULT_ENTRY_POINT = 'src/main.ts'

/** A manifest, and whether it names its entry file itself. */
export interface ParsedManifest {
  readonly manifest: Manifest
  readonly entryPointGiven: boolean
}

/**
 * Parses the text of a plugin.yaml, or of a plugin.json when `file` ends so. Pure.
 * Throws XCoreError `manifest_invalid` with an issue for each problem of the file (`plugin.yaml:LINE`).
 */
export function parseManifest(text: string, file = 'plugin.yaml'): Manifest {
  return parseWritten(text, file).manifest
}

export function parseWritten(text: string, file: string): ParsedManifest {
  const read = readText(text, file)
  if (!read.ok) throw invalidManifest(read.issues)
  const checked = checkManifest(read.text, file)
  if (!checked.ok) throw invalidManifest(checked.issues)
  const manifest = deepFreeze(withDefaults(checked.written, read.text, file))
  return { manifest, entryPointGiven: checked.written.entry_point !== undefined }
}

/** Its message lists all issues, so that a log line alone is enough to fix the file. */
export function invalidManifest(issues: readonly Issue[], options: { cause?: unknown } = {}): XCoreError {
  const lines = issues.map((issue) => `${issue.path}: ${issue.message}`)
  const message = lines.length === 1 ? (lines[0] ?? '') : `${lines.length} problems:\n  ${lines.join('\n  ')}`
  return new XCoreError('manifest_invalid', message, { issues, ...options })
}

function withDefaults(written: WrittenManifest, text: ManifestText, file: string): Manifest {
  const { resources = {}, runtime = {}, filesystem = {} } = written
  const timeoutSeconds = resources.timeout_seconds ?? 10
  const priority = written.priority ?? 50
  const retry = retrySettings(runtime.retry, { maxAttempts: 3, backoffSeconds: 1, maxBackoffSeconds: 300 })
  const actions: Record<string, ActionSettings> = {}
  for (const [name, action] of Object.entries(written.actions ?? {})) {
    actions[name] = {
      timeoutSeconds: action.timeout_seconds ?? timeoutSeconds,
      priority: action.priority ?? priority,
      retry: retrySettings(action.retry, retry),
      replay: action.replay ?? 'safe',
    }
  }
  return {
    name: pluginName(written.name),
    version: written.version,
    author: written.author ?? '',
    description: written.description ?? '',
    executionMode: written.execution_mode ?? 'trusted',
    frameworkVersion: written.framework_version ?? '>=2.0',
    entryPoint: written.entry_point ?? DEFAULT_ENTRY_POINT,
    requires: (written.requires ?? []).map((entry) =>
      typeof entry === 'string'
        ? { name: pluginName(entry), version: null }
        : { name: pluginName(entry.name), version: entry.version ?? null },
    ),
    permissions:
      written.permissions?.map((rule) => ({ resource: rule.resource, actions: rule.actions ?? ['*'], effect: rule.effect ?? 'allow' })) ??
      null,
    env: { ...written.env },
    envConfiguration: { inject: written.envconfiguration?.inject ?? false, envFile: written.envconfiguration?.env_file ?? '.env' },
    resources: {
      timeoutSeconds,
      maxMemoryMb: resources.max_memory_mb ?? 128,
      maxDiskMb: resources.max_disk_mb ?? 50,
      rateLimit:
        resources.rate_limit === undefined
          ? null
          : { calls: resources.rate_limit.calls, periodSeconds: resources.rate_limit.period_seconds ?? 60 },
    },
    runtime: {
      retry,
      healthCheck: {
        enabled: runtime.health_check?.enabled ?? true,
        intervalSeconds: runtime.health_check?.interval_seconds ?? 30,
        timeoutSeconds: runtime.health_check?.timeout_seconds ?? 3,
      },
    },
    filesystem: { allowedPaths: filesystem.allowed_paths ?? ['data/'], deniedPaths: filesystem.denied_paths ?? ['src/'] },
    sandbox: {
      prewarm: written.sandbox?.prewarm ?? false,
      idleSeconds: written.sandbox?.idle_seconds ?? 300,
      maxJobs: written.sandbox?.max_jobs ?? 1_000_000,
    },
    concurrency: written.concurrency ?? 10,
    totalConcurrency: written.total_concurrency ?? null,
    priority,
    config: objectAt(text.value, 'config'),
    http: { auth: written.http?.auth ?? 'public' },
    allowedCallers: written.allowed_callers ?? null,
    actions,
    source: { file, lines: sourceLines(written, text) },
  }
}

// A backoff above the inherited cap raises the cap: the author asked for that pause.
function retrySettings(written: NonNullable<WrittenManifest['runtime']>['retry'], base: RetrySettings): RetrySettings {
  const backoffSeconds = written?.backoff_seconds ?? Math.min(base.backoffSeconds, written?.max_backoff_seconds ?? Infinity)
  return {
    maxAttempts: written?.max_attempts ?? base.maxAttempts,
    backoffSeconds,
    maxBackoffSeconds: written?.max_backoff_seconds ?? Math.max(base.maxBackoffSeconds, backoffSeconds),
  }
}

function sourceLines(written: WrittenManifest, text: ManifestText): Record<string, number> {
  const lines: Record<string, number> = {}
  for (const name of Object.keys(written.env ?? {})) lines[`/env/${name}`] = text.lineOf(['env', name])
  for (const index of (written.requires ?? []).keys()) lines[`/requires/${index}`] = text.lineOf(['requires', index])
  for (const key of ['name', 'framework_version', 'entry_point', 'envconfiguration']) {
    if (Object.hasOwn(text.value, key)) lines[`/${key}`] = text.lineOf([key])
  }
  return lines
}

function objectAt(value: JsonObject, key: string): JsonObject {
  const found: Json = value[key] ?? {}
  return isObject(found) ? found : {}
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) deepFreeze(part)
  }
  return value
}
