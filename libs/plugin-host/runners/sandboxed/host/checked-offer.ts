import { XCoreError } from '../../../../errors/index.ts'
import { refusal } from '../../../../event-log/index.ts'
import type { Json } from '../../../../event-log/index.ts'
import type { Loaded } from './process.ts'

/** Schemas and descriptions of all actions and routes, as JSON. */
const MAX_DECLARED_CHARACTERS = 1024 * 1024
/** As for a trusted plugin: a name is part of URLs. */
const ACTION_NAME = /^[^/?#%\s]{1,128}$/

/**
 * What a plugin declares is shown to others (`/openapi.json`, `/admin/plugins`) and kept in the database, together with what other plugins declare: one that
 * cannot be written there must not keep the others from being shown. Pure. Throws XCoreError `plugin_load_failed`.
 */
export function checkOffer(plugin: string, { actions, declaredRoutes }: Pick<Loaded, 'actions' | 'declaredRoutes'>): void {
  for (const { name } of actions) {
    if (!ACTION_NAME.test(name))
      throw failed(plugin, 'action names of 1 to 128 characters without / ? # % and spaces', JSON.stringify(name))
  }
  const declared: unknown = { actions, routes: declaredRoutes }
  const refused = isJson(declared) ? refusal(declared) : { path: '', reason: 'is no JSON' }
  if (refused !== undefined)
    throw failed(plugin, 'actions and routes that JSON can hold', `a value at ${refused.path} that ${refused.reason}`)
  const { length } = JSON.stringify(declared)
  if (length > MAX_DECLARED_CHARACTERS)
    throw failed(plugin, `schemas of at most ${MAX_DECLARED_CHARACTERS} characters, all in all`, `${length}`)
}

function failed(plugin: string, expected: string, found: string): XCoreError {
  return new XCoreError('plugin_load_failed', `plugin ${plugin}: expected ${expected}, found ${found.slice(0, 300)}`)
}

// It came out of JSON.parse.
function isJson(value: unknown): value is Json {
  return value !== undefined
}
