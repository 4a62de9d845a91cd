import { fileURLToPath } from 'node:url'
import type { LoadPluginOptions, PluginUnderTest } from './port.ts'
import { loadRemote } from './remote.ts'

/**
 * Loads a plugin for a test: its real manifest, permissions and validation, with jobs, events, cache, schedules and clock in memory and no
 * server. `dir`: the folder of its plugin.yaml, as a path or a file URL (`new URL('..', import.meta.url)`).
 *
 * With `url`, or `XCORE_TEST_URL` in the environment, the same test asks a running XCore instead.
 * Rejects with XCoreError, e.g. `manifest_invalid`, `plugin_load_failed`, `env_missing`, `dependency_missing`.
 */
export async function loadPlugin(dir: string | URL, options: LoadPluginOptions = {}): Promise<PluginUnderTest> {
  const folder = dir instanceof URL || dir.startsWith('file:') ? fileURLToPath(dir) : dir
  const url = options.url ?? process.env['XCORE_TEST_URL']
  if (url !== undefined && url !== '') return loadRemote(folder, url, options.key ?? process.env['XCORE_TEST_KEY'])
  const { loadLocal } = await import('./local/load.ts')
  return loadLocal(folder, options)
}
