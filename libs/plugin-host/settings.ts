import type { JobSettings, PluginLimits } from '../engine/plugin-port.ts'
import type { JobKind } from '../event-log/index.ts'
import type { Manifest } from '../manifest/index.ts'

/** How jobs of an action or a handler are run: the manifest's `actions.NAME` over the plugin's own. Pure. */
export function jobSettings(manifest: Manifest, kind: JobKind, name: string, subscriptionPriority?: number): JobSettings {
  const own = kind === 'action' && Object.hasOwn(manifest.actions, name) ? manifest.actions[name] : undefined
  if (own !== undefined) return { timeoutSeconds: own.timeoutSeconds, priority: own.priority, retry: own.retry, replay: own.replay }
  return {
    timeoutSeconds: manifest.resources.timeoutSeconds,
    priority: subscriptionPriority ?? manifest.priority,
    retry: manifest.runtime.retry,
  }
}

export function pluginLimits(manifest: Manifest): PluginLimits {
  const { concurrency, totalConcurrency, resources } = manifest
  return { concurrency, totalConcurrency, rateLimit: resources.rateLimit }
}
