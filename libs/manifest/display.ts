import type { Json, JsonObject } from '../event-log/index.ts'
import type { Manifest } from './manifest.ts'

/** The manifest for GET /admin/plugins: the keys of plugin.yaml, defaults filled in; of `env` only the names. */
export function manifestForDisplay(manifest: Manifest): JsonObject {
  const { env, config, actions, source, envConfiguration, ...rest } = manifest
  return {
    ...snakeCased({ ...rest }),
    env: Object.keys(env),
    envconfiguration: snakeCase({ ...envConfiguration }),
    // Action names and config keys are the author's own words: left as they are.
    config,
    actions: Object.fromEntries(Object.entries(actions).map(([name, action]) => [name, snakeCase({ ...action })])),
    file: source.file,
  }
}

function snakeCased(value: Readonly<Record<string, unknown>>): JsonObject {
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), snakeCase(item)]),
  )
}

function snakeCase(value: unknown): Json {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (Array.isArray(value)) return value.map(snakeCase)
  return typeof value === 'object' ? snakeCased({ ...value }) : null
}
