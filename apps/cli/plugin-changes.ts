import { readFile } from 'node:fs/promises'
import { Type } from 'typebox'
import { messageOf } from '../../libs/errors/index.ts'
import {
  actionSchemasOf,
  breakingChanges,
  type ActionSchemas,
  type BreakingChange,
} from '../../libs/plugin-host/compatibility/compare-actions.ts'
import { declaredSchemas, type PluginSchemas } from '../../libs/plugin-host/compatibility/declared-schemas.ts'
import type { Config } from '../../libs/config/index.ts'
import type { ApiClient } from './client.ts'
import { CommandFailed } from './exit.ts'
import { findPlugin } from './find-plugin.ts'

export interface ChangesReport {
  readonly plugin: string
  readonly version: string
  /** What it was compared with. */
  readonly against: string
  readonly breaking: readonly BreakingChange[]
}

/** Where plugins are, and what must fence in sandboxed ones. */
type PluginPlaces = Pick<Config, 'plugins' | 'sandbox'>

const Versions = Type.Object({ versions: Type.Array(Type.Object({ version: Type.String(), actions: Type.Unknown() })) })

/** What `target` declares now. */
export async function schemasOf(
  target: string,
  { plugins: { dir: pluginsDir }, sandbox: { require: least } }: PluginPlaces,
): Promise<PluginSchemas> {
  return declaredSchemas(await findPlugin(target, pluginsDir), least)
}

/**
 * What `target` breaks of an older version: a plugin's folder, a JSON file that `xcore plugin schema` wrote, or a version that the running
 * XCore has seen. Throws CommandFailed when there is no such thing.
 */
export async function compareWith(target: string, old: string, places: PluginPlaces, client: () => ApiClient): Promise<ChangesReport> {
  const next = await schemasOf(target, places)
  const before = await oldSchemas(next.plugin, old, places, client)
  return { plugin: next.plugin, version: next.version, against: old, breaking: breakingChanges(before, next.actions) }
}

async function oldSchemas(
  plugin: string,
  old: string,
  { sandbox }: PluginPlaces,
  client: () => ApiClient,
): Promise<readonly ActionSchemas[]> {
  if (old.endsWith('.json')) return fromFile(old)
  if (/^\d+\.\d+\.\d+/.test(old)) return fromServer(plugin, old, client())
  return (await declaredSchemas(await findPlugin(old, old), sandbox.require)).actions
}

async function fromFile(path: string): Promise<readonly ActionSchemas[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new CommandFailed(`${path} cannot be read: ${messageOf(error)}`, { code: 'not_found' })
  })
  const actions = actionSchemasOf(actionsIn(parsed(path, text)))
  if (actions !== undefined) return actions
  throw new CommandFailed(`${path}: expected {"actions": [{"name", "input", "output"}]}, as \`xcore plugin schema\` writes it`, {
    code: 'bad_request',
  })
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CommandFailed(`${path}: expected JSON: ${messageOf(error)}`, { code: 'invalid_json' })
  }
}

function actionsIn(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'actions' in value ? value.actions : value
}

async function fromServer(plugin: string, version: string, client: ApiClient): Promise<readonly ActionSchemas[]> {
  const { body } = await client.request(Versions, `/admin/plugins/${encodeURIComponent(plugin)}/versions`)
  const found = body.versions.find((each) => each.version === version)
  if (found !== undefined) return actionSchemasOf(found.actions) ?? []
  const known = body.versions.map((each) => each.version).join(', ')
  throw new CommandFailed(`${client.url} has not seen version ${version} of ${plugin}; it knows: ${known || 'none'}`, { code: 'not_found' })
}
