import { readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { messageOf, XCoreError } from '../errors/index.ts'
import type { Manifest } from './manifest.ts'
import { invalidManifest } from './parse.ts'
import { isMissing, manifestFile, readManifest } from './read.ts'

/** A folder with a manifest. `folder` is absolute. */
export type DiscoveredPlugin =
  | { readonly ok: true; readonly folder: string; readonly manifest: Manifest }
  /** `name`: the manifest's for a duplicate, else the folder's. */
  | { readonly ok: false; readonly folder: string; readonly name: string; readonly error: XCoreError }

/**
 * Reads the manifests of all subfolders, in the order of the folders' names. Dot folders, `node_modules` and folders without a
 * manifest are passed over. Of two with the same name the second is refused (`plugin_duplicate`).
 * A directory that does not exist is an empty list; throws XCoreError `config_invalid` for one that can't be read.
 */
export async function discoverPlugins(directory: string): Promise<readonly DiscoveredPlugin[]> {
  const root = resolve(directory)
  const read = await Promise.all((await subfolders(root)).map((folder) => discoverPlugin(folder)))
  const firstFolder = new Map<string, string>()
  return read
    .filter((plugin) => plugin !== undefined)
    .map((plugin) => {
      if (!plugin.ok) return plugin
      const { name, source } = plugin.manifest
      const first = firstFolder.get(name)
      if (first === undefined) {
        firstFolder.set(name, plugin.folder)
        return plugin
      }
      const position = `${source.file}${source.lines['/name'] === undefined ? '' : `:${source.lines['/name']}`}`
      const error = new XCoreError(
        'plugin_duplicate',
        `${position}: the name ${name} of the plugin in folder ${basename(plugin.folder)} is taken by the one in ${basename(first)}; rename one of them`,
        { details: { first, second: plugin.folder } },
      )
      return { ok: false, folder: plugin.folder, name, error } as const
    })
}

/** One folder; undefined when it holds no manifest. Never throws for what a plugin's author may have done. */
export async function discoverPlugin(folder: string): Promise<DiscoveredPlugin | undefined> {
  const absolute = resolve(folder)
  try {
    if ((await manifestFile(absolute)) === undefined) return undefined
    return { ok: true, folder: absolute, manifest: await readManifest(absolute) }
  } catch (thrown) {
    const error =
      thrown instanceof XCoreError ? thrown : invalidManifest([{ path: absolute, message: messageOf(thrown) }], { cause: thrown })
    return { ok: false, folder: absolute, name: basename(absolute), error }
  }
}

async function subfolders(root: string): Promise<string[]> {
  let names: string[]
  try {
    names = await readdir(root)
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return []
    throw new XCoreError(
      'config_invalid',
      `plugins.dir: expected a readable directory, found ${root} (${messageOf(thrown)}); correct plugins.dir`,
      {
        cause: thrown,
      },
    )
  }
  const candidates = names.filter((name) => !name.startsWith('.') && name !== 'node_modules').toSorted()
  const isFolder = await Promise.all(candidates.map((name) => isDirectory(join(root, name))))
  return candidates.filter((_, index) => isFolder[index]).map((name) => join(root, name))
}

// Follows links: a plugin under development is often linked into the folder.
async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (thrown) {
    if (isMissing(thrown)) return false
    return true
  }
}
