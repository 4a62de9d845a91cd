import { XCoreError } from '../../errors/index.ts'
import { discoverPlugin, type Manifest } from '../../manifest/index.ts'
import { declaredInSandbox } from '../runners/sandboxed/declared.ts'
import type { Ring } from '../runners/sandboxed/host/rings.ts'
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
 * What the plugin in a folder declares. Imports its code (of a sandboxed one in a sandbox, of at least that ring) and makes an
 * instance, but runs no hook of it.
 * Rejects with XCoreError `not_found`, `manifest_invalid`, `plugin_load_failed`, `sandbox_unsupported`.
 */
export async function declaredSchemas(folder: string, least: Ring = 'permission'): Promise<PluginSchemas> {
  const found = await discoverPlugin(folder)
  if (found === undefined) throw new XCoreError('not_found', `${folder}: expected plugin.yaml or plugin.json in this folder, found neither`)
  if (!found.ok) throw found.error
  const { name, version } = found.manifest
  return { plugin: name, version, actions: await actionsOf(found.folder, found.manifest, least) }
}

async function actionsOf(folder: string, manifest: Manifest, least: Ring): Promise<readonly ActionSchemas[]> {
  const { executionMode, entryPoint } = manifest
  if (executionMode === 'sandboxed') return declaredInSandbox(folder, manifest, least)
  // The old style has no declared actions.
  if (executionMode === 'legacy') return []
  using modules = new PluginModules()
  const instance = await instantiate(await modules.begin(folder, entryPoint, false), folder, entryPoint)
  return [...declaredActions(instance.actions).values()].map(({ name, input, output }) => ({ name, input, output }))
}
