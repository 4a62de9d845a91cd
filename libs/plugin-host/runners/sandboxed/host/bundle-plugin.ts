import { createHash } from 'node:crypto'
import { readFile, realpath, stat, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { extname, join, relative, sep } from 'node:path'
import { build } from 'esbuild'
import type { Loader, Message, Plugin } from 'esbuild'
import { XCoreError, messageOf } from '../../../../errors/index.ts'
import { SHARED_MODULES, isPureBuiltin } from '../wire/builtins.ts'

/** Of one plugin, everything that it imports included. */
const MAX_BUNDLE_BYTES = 8 * 1024 * 1024
const LOADERS: Readonly<Record<string, Loader>> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.js': 'js',
  '.mjs': 'js',
  '.cjs': 'js',
  '.json': 'json',
}

/**
 * Put behind each file: esbuild would read the source map that a comment names, from anywhere; of several comments the last one
 * counts, and this one names an empty map.
 */
const NO_MAP = Buffer.from('\n//# sourceMappingURL=data:application/json,{"version":3,"sources":[],"names":[],"mappings":""}')

export interface PluginBundle {
  readonly path: string
  readonly bytes: number
  /** From places in the bundle to the plugin's own files, by paths inside its folder. */
  readonly sourceMap: string
}

/**
 * Bundles a plugin to one file in `folder`, named by its hash: the only thing of the plugin that its sandbox can read. Only files
 * inside the plugin's own folder are taken, whatever way they are asked for: a bundle must not carry the host's secrets in.
 * Throws XCoreError `plugin_load_failed`.
 */
export async function bundlePlugin(pluginFolder: string, entryPoint: string, folder: string): Promise<PluginBundle> {
  const root = await realpath(pluginFolder)
  const result = await build({
    entryPoints: [join(root, entryPoint)],
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    charset: 'utf8',
    legalComments: 'none',
    // What the folder's own tsconfig.json names would be read from anywhere.
    tsconfigRaw: '{"compilerOptions":{"verbatimModuleSyntax":true}}',
    sourcemap: 'external',
    sourcesContent: false,
    // Nothing is written there: paths in the map are relative to it.
    outfile: join(root, 'bundle.mjs'),
    preserveSymlinks: false,
    logLevel: 'silent',
    plugins: [onlyOwnFiles(root)],
  }).catch((thrown: unknown) => {
    throw new XCoreError('plugin_load_failed', `${entryPoint} could not be bundled for the sandbox: ${explain(thrown)}`, { cause: thrown })
  })
  const file = result.outputFiles.find(({ path }) => path.endsWith('.mjs'))
  const map = result.outputFiles.find(({ path }) => path.endsWith('.map'))
  if (file === undefined || file.contents.length > MAX_BUNDLE_BYTES) {
    throw new XCoreError(
      'plugin_load_failed',
      `${entryPoint}: expected a bundle of at most ${MAX_BUNDLE_BYTES} bytes with all that it imports, found ${file?.contents.length ?? 'nothing'}; import less`,
    )
  }
  // The plugin below decides it file by file; this holds whatever the bundler made of it.
  const escaped = Object.values(result.metafile.outputs).flatMap(({ imports }) =>
    imports.filter(({ external, path }) => external === true && !isAllowed(path)),
  )
  const [first] = escaped
  if (first !== undefined) throw new XCoreError('plugin_load_failed', refusalOf(first.path))
  const path = join(folder, `${createHash('sha256').update(file.contents).digest('hex').slice(0, 32)}.mjs`)
  await writeFile(path, file.contents, { mode: 0o444, flag: 'wx' }).catch(ignoreExisting)
  return { path, bytes: file.contents.length, sourceMap: map?.text ?? '' }
}

function isAllowed(specifier: string): boolean {
  return Object.hasOwn(SHARED_MODULES, specifier) || isPureBuiltin(specifier)
}

function onlyOwnFiles(root: string): Plugin {
  return {
    name: 'only-own-files',
    setup(setup) {
      setup.onResolve({ filter: /.*/ }, ({ path, kind }) => {
        if (kind === 'entry-point') return undefined
        if (isAllowed(path)) return { path, external: true }
        if (isBuiltin(path)) return { errors: [{ text: refusalOf(path) }] }
        return undefined
      })
      setup.onLoad({ filter: /.*/, namespace: 'file' }, async ({ path }) => {
        const real = await realpath(path)
        const loader = LOADERS[extname(real)]
        if (!real.startsWith(root + sep))
          return {
            errors: [
              { text: `${relative(root, path)} is outside of the plugin's folder; a sandboxed plugin brings everything that it imports` },
            ],
          }
        if (loader === undefined)
          return { errors: [{ text: `${relative(root, real)}: expected a file that ends in ${Object.keys(LOADERS).join(', ')}` }] }
        const found = await stat(real)
        if (!found.isFile() || found.size > MAX_BUNDLE_BYTES)
          return { errors: [{ text: `${relative(root, real)}: expected a file of at most ${MAX_BUNDLE_BYTES} bytes` }] }
        return loader === 'json' ? undefined : { contents: Buffer.concat([await readFile(real), NO_MAP]), loader }
      })
    },
  }
}

function refusalOf(specifier: string): string {
  return (
    `import of "${specifier}": a sandboxed plugin may import @xcore/sdk, its own files, packages in its node_modules and those of Node's modules that only compute; ` +
    'files, network and processes are services: getService, fetch'
  )
}

function explain(thrown: unknown): string {
  const errors: readonly Message[] = isBuildFailure(thrown) ? thrown.errors : []
  if (errors.length === 0) return messageOf(thrown)
  return errors
    .slice(0, 3)
    .map(({ text, location }) => (location === null ? text : `${location.file}:${location.line}: ${text}`))
    .join('; ')
}

function isBuildFailure(thrown: unknown): thrown is { readonly errors: readonly Message[] } {
  return thrown instanceof Error && 'errors' in thrown && Array.isArray(thrown.errors)
}

function ignoreExisting(thrown: unknown): void {
  if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')) throw thrown
}
