import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { didYouMean } from '../../libs/errors/index.ts'
import { discoverPlugins } from '../../libs/manifest/index.ts'
import { CommandFailed } from './exit.ts'

/** The folder of a plugin that is named by its folder, or by its name in `pluginsDir`. Throws CommandFailed when there is none. */
export async function findPlugin(target: string, pluginsDir: string): Promise<string> {
  const folder = resolve(target)
  if (await isFolder(folder)) return folder
  const found = await discoverPlugins(pluginsDir)
  const names = found.map((plugin) => (plugin.ok ? plugin.manifest.name : plugin.name))
  const named = found.find((plugin, index) => names[index] === target || basename(plugin.folder) === target)
  if (named !== undefined) return named.folder
  throw new CommandFailed(`no plugin and no folder ${target}; looked in ${pluginsDir}.${didYouMean(target, names)}`, { code: 'not_found' })
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
