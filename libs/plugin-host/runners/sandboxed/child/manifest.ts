import type { Manifest, Permission } from '../../../../manifest/manifest.ts'
import { pluginName } from '../../../../event-log/ids.ts'
import type { JsonObject } from '../../../../event-log/json.ts'
import type { InitFrame } from '../wire/frames.ts'

/** The manifest as the runtime inside needs it. Limits and permissions are the host's matter: inside nothing is decided. */
export function innerManifest(init: InitFrame): Manifest {
  const retry = { maxAttempts: init.maxAttempts, backoffSeconds: 1, maxBackoffSeconds: 300 }
  return {
    name: pluginName(init.plugin),
    version: init.version,
    author: '',
    description: '',
    executionMode: 'sandboxed',
    frameworkVersion: '*',
    entryPoint: init.entryPoint,
    requires: [],
    permissions: init.permissions === null ? null : init.permissions.filter(isRule),
    env: init.env,
    envConfiguration: { inject: false, envFile: '.env' },
    resources: { timeoutSeconds: 0, maxMemoryMb: 0, maxDiskMb: 0, rateLimit: null },
    runtime: { retry, healthCheck: { enabled: false, intervalSeconds: 0, timeoutSeconds: 0 } },
    filesystem: { allowedPaths: [], deniedPaths: [] },
    sandbox: { prewarm: false, idleSeconds: 0, maxJobs: 0 },
    concurrency: 1,
    totalConcurrency: null,
    priority: 50,
    config: isJsonObject(init.config) ? init.config : {},
    http: { auth: 'public' },
    allowedCallers: null,
    actions: {},
    source: { file: 'plugin.yaml', lines: {} },
  }
}

function isRule(rule: unknown): rule is Permission {
  return typeof rule === 'object' && rule !== null && 'resource' in rule
}

// It came over the wire as JSON.
function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
