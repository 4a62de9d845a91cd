import type { JsonObject, PluginName } from '../event-log/index.ts'

export type ExecutionMode = 'trusted' | 'sandboxed' | 'legacy'

export const RESOURCE_VERBS = ['read', 'write', 'execute', 'emit', 'subscribe', '*'] as const
export type ResourceVerb = (typeof RESOURCE_VERBS)[number]

/** A plugin.yaml or plugin.json as validated: defaults filled in, deeply frozen. */
export interface Manifest {
  readonly name: PluginName
  /** Semantic version. */
  readonly version: string
  readonly author: string
  readonly description: string
  readonly executionMode: ExecutionMode
  /** semver range that the host's version must be in. Default `>=2.0`. */
  readonly frameworkVersion: string
  /** Relative to the plugin's folder, `/` between the parts, never outside of it. */
  readonly entryPoint: string
  readonly requires: readonly Requirement[]
  /** In order, first match wins, no match denies. null: the file has no such block (trusted: everything; sandboxed: nothing). */
  readonly permissions: readonly Permission[] | null
  /** As written, `${VAR}` not yet replaced: see `resolveEnv`. */
  readonly env: Readonly<Record<string, string>>
  readonly envConfiguration: EnvConfiguration
  readonly resources: Resources
  readonly runtime: { readonly retry: RetrySettings; readonly healthCheck: HealthCheck }
  readonly filesystem: { readonly allowedPaths: readonly string[]; readonly deniedPaths: readonly string[] }
  readonly sandbox: SandboxSettings
  /** Jobs of the plugin that run at once in one process. */
  readonly concurrency: number
  /** Jobs of the plugin that run at once over all processes; null: as many as their processes run. */
  readonly totalConcurrency: number | null
  /** 0–100, higher first: of the jobs that come without one. */
  readonly priority: number
  /** The plugin's own settings, handed to it as `ctx.config`. */
  readonly config: JsonObject
  readonly http: { readonly auth: 'required' | 'public' }
  /** Globs of plugin names that may call this one; null: every plugin. */
  readonly allowedCallers: readonly string[] | null
  /** What the file says under `actions`, completed by the plugin's own settings. */
  readonly actions: Readonly<Record<string, ActionSettings>>
  readonly source: ManifestSource
}

export interface Requirement {
  readonly name: PluginName
  /** semver range; null: any version. */
  readonly version: string | null
}

export interface Permission {
  /** Glob: `db.*`, `plugin:billing`, `net:*.example.com`. */
  readonly resource: string
  readonly actions: readonly ResourceVerb[]
  readonly effect: 'allow' | 'deny'
}

export interface EnvConfiguration {
  /** Whether `envFile` is read into the plugin's environment (never into the host's). */
  readonly inject: boolean
  /** A dotenv file inside the plugin's folder. */
  readonly envFile: string
}

export interface Resources {
  readonly timeoutSeconds: number
  readonly maxMemoryMb: number
  readonly maxDiskMb: number
  /** null: no limit. */
  readonly rateLimit: { readonly calls: number; readonly periodSeconds: number } | null
}

/** How the process of a sandboxed plugin is kept. */
export interface SandboxSettings {
  /** Started anew at once after an end, and kept while idle. */
  readonly prewarm: boolean
  /** Without work for this long its process is ended; the next job starts it. */
  readonly idleSeconds: number
  /** After this many jobs its process is replaced. */
  readonly maxJobs: number
}

export interface RetrySettings {
  /** Including the first one. */
  readonly maxAttempts: number
  readonly backoffSeconds: number
  readonly maxBackoffSeconds: number
}

export interface HealthCheck {
  readonly enabled: boolean
  readonly intervalSeconds: number
  readonly timeoutSeconds: number
}

export interface ActionSettings {
  readonly timeoutSeconds: number
  readonly priority: number
  readonly retry: RetrySettings
  /** `unsafe`: a bulk replay leaves its jobs out unless it is asked to take them. */
  readonly replay: 'safe' | 'unsafe'
}

/** Where it was written, for messages. */
export interface ManifestSource {
  /** `plugin.yaml` or `plugin.json`. */
  readonly file: string
  /** JSON pointer of each `env` and `requires` entry and of `/framework_version`, to its line (1-based). */
  readonly lines: Readonly<Record<string, number>>
}

/** `plugin.yaml:12`; without the line when the file does not say it. */
export function positionOf(manifest: Manifest, pointer: string): string {
  const line = manifest.source.lines[pointer]
  return line === undefined ? manifest.source.file : `${manifest.source.file}:${line}`
}

/** The settings of one action: its own, or the plugin's when the manifest does not mention it. */
export function actionSettings(manifest: Manifest, action: string): ActionSettings {
  const own = Object.hasOwn(manifest.actions, action) ? manifest.actions[action] : undefined
  return (
    own ?? { timeoutSeconds: manifest.resources.timeoutSeconds, priority: manifest.priority, retry: manifest.runtime.retry, replay: 'safe' }
  )
}
