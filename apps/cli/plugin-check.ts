import { stat } from 'node:fs/promises'
import { basename, isAbsolute, join, relative, resolve } from 'node:path'
import { didYouMean, messageOf } from '../../libs/errors/index.ts'
import type { Issue, XCoreError } from '../../libs/errors/index.ts'
import {
  FRAMEWORK_VERSION,
  describeManifest,
  discoverPlugin,
  discoverPlugins,
  orderPlugins,
  readPluginEnv,
} from '../../libs/manifest/index.ts'
import type { DiscoveredPlugin } from '../../libs/manifest/index.ts'
import { CommandFailed } from './exit.ts'

/** What can be said of a plugin without running it. */
export interface PluginCheck {
  readonly name: string
  readonly folder: string
  /** Empty: the host would load it. Paths lead from the working directory: `plugins/hello/plugin.yaml:3`. */
  readonly errors: readonly (Issue & { readonly code: string })[]
  /** True on this machine and now, e.g. a variable that is not set here. */
  readonly warnings: readonly string[]
  /** What it may do, in words; empty when the manifest is invalid. */
  readonly says: readonly string[]
}

/** Checks every plugin of a folder of plugins, and that they fit together. */
export async function checkAll(pluginsDir: string): Promise<readonly PluginCheck[]> {
  const found = await discoverPlugins(pluginsDir)
  const { refused } = orderPlugins(manifestsOf(found), FRAMEWORK_VERSION)
  return Promise.all(found.map((plugin) => check(plugin, plugin.ok ? refused.get(plugin.manifest.name) : undefined)))
}

/**
 * Checks a plugin by its folder or its name, or a whole folder of plugins by its path. Throws CommandFailed when there is none.
 * By name it is checked together with the others of `pluginsDir`, by its folder alone: then what it requires is not looked for.
 */
export async function checkTarget(target: string, pluginsDir: string): Promise<readonly PluginCheck[]> {
  const folder = resolve(target)
  if (await isDirectory(folder)) {
    const single = await discoverPlugin(folder)
    if (single === undefined) {
      const all = await checkAll(folder)
      if (all.length > 0) return all
      throw new CommandFailed(`${folder}: expected plugin.yaml or plugin.json here or in its subfolders, found none`, { code: 'not_found' })
    }
    const { refused } = orderPlugins(manifestsOf([single]), FRAMEWORK_VERSION)
    const error = refused.get(single.ok ? single.manifest.name : single.name)
    return [await check(single, error?.code === 'dependency_missing' ? undefined : error)]
  }
  const all = await checkAll(pluginsDir)
  const named = all.filter((plugin) => plugin.name === target || basename(plugin.folder) === target)
  if (named.length > 0) return named
  const names = all.map((plugin) => plugin.name)
  throw new CommandFailed(`no plugin and no folder ${target}; looked in ${pluginsDir}.${didYouMean(target, names)}`, { code: 'not_found' })
}

function manifestsOf(found: readonly DiscoveredPlugin[]) {
  return found.flatMap((plugin) => (plugin.ok ? [plugin.manifest] : []))
}

async function check(plugin: DiscoveredPlugin, refusal: XCoreError | undefined): Promise<PluginCheck> {
  const { folder } = plugin
  if (!plugin.ok) return { name: plugin.name, folder, errors: errorsOf(plugin.error, folder), warnings: [], says: [] }
  const { manifest } = plugin
  return {
    name: manifest.name,
    folder,
    errors: refusal === undefined ? [] : errorsOf(refusal, folder),
    warnings: await readPluginEnv(folder, manifest, process.env).then(
      () => [],
      (error: unknown) => [messageOf(error)],
    ),
    says: describeManifest(manifest),
  }
}

function errorsOf(error: XCoreError, folder: string): (Issue & { code: string })[] {
  const issues = error.issues.length > 0 ? error.issues : [splitPosition(error.message)]
  return issues.map(({ path, message }) => ({ code: error.code, path: isAbsolute(path) ? path : shown(join(folder, path)), message }))
}

/** Messages without issues begin with their position: `plugin.yaml:7: plugin a wants …`. */
function splitPosition(message: string): Issue {
  const position = /^(plugin\.(?:yaml|json)(?::\d+)?): /.exec(message)
  return position === null ? { path: '', message } : { path: position[1] ?? '', message: message.slice(position[0].length) }
}

function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
