import { XCoreError } from '../../errors/index.ts'
import { discoverPlugin, type Manifest } from '../../manifest/index.ts'
import { declaredActions } from '../runners/trusted/actions.ts'
import { instantiate } from '../runners/trusted/import-entry.ts'
import { PluginModules } from '../runners/trusted/plugin-modules.ts'
import type { ActionSchemas } from './compare-actions.ts'

export interface PluginSchemas {
  readonly plugin: string
  readonly version: string
  readonly actions: readonly ActionSchemas[]
}

/**
 * What the plugin in a folder declares. Imports its code and makes an instance, but runs no hook of it.
 * Rejects with XCoreError `not_found`, `manifest_invalid`, `plugin_load_failed`, and `bad_request` for a sandboxed plugin: its code is
 * not run here.
 */
export async function declaredSchemas(folder: string): Promise<PluginSchemas> {
  const found = await discoverPlugin(folder)
  if (found === undefined) throw new XCoreError('not_found', `${folder}: expected plugin.yaml or plugin.json in this folder, found neither`)
  if (!found.ok) throw found.error
  const { name, version, executionMode } = found.manifest
  if (executionMode === 'sandboxed') {
    throw new XCoreError(
      'bad_request',
      `plugin ${name} is sandboxed, and its code would run here without a sandbox. Load it into a running XCore: GET /admin/plugins/${name}/versions tells what each version declares.`,
    )
  }
  return { plugin: name, version, actions: await actionsOf(found.folder, found.manifest) }
}

async function actionsOf(folder: string, { executionMode, entryPoint }: Manifest): Promise<readonly ActionSchemas[]> {
  // The old style has no declared actions.
  if (executionMode === 'legacy') return []
  using modules = new PluginModules()
  const instance = await instantiate(await modules.begin(folder, entryPoint, false), folder, entryPoint)
  return [...declaredActions(instance.actions).values()].map(({ name, input, output }) => ({ name, input, output }))
}
