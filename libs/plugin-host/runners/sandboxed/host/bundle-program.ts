import { join } from 'node:path'
import { METHODS } from 'node:http'
import { build } from 'esbuild'
import type { Plugin } from 'esbuild'
import { SHARED_MODULES } from '../wire/builtins.ts'

const CHILD = join(import.meta.dirname, '..', 'child')

/**
 * Bundles the program that runs inside sandboxes, with the SDK, to `folder`: `main.mjs` and a module for each name that plugins
 * may import from the host. Parts that only plugins with routes need are a chunk of their own. Returns the path of `main.mjs`.
 */
export async function bundleProgram(folder: string): Promise<string> {
  await build({
    entryPoints: Object.fromEntries(['main', ...Object.values(SHARED_MODULES)].map((name) => [name, join(CHILD, `${name}.ts`)])),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    // CommonJS packages below Koa ask for Node's modules this way. Each bundle is a module: plugin code cannot see it.
    banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);" },
    tsconfigRaw: '{}',
    logLevel: 'silent',
    plugins: [lightPackages],
  })
  return join(folder, 'main.mjs')
}

/** Spares each start of a sandbox modules that it would load for nothing (http, tty, os: 25 ms). */
const lightPackages: Plugin = {
  name: 'light-packages',
  setup(setup) {
    setup.onResolve({ filter: /^debug$/ }, () => ({ path: 'debug', namespace: 'light' }))
    setup.onLoad({ filter: /^debug$/, namespace: 'light' }, () => ({
      contents: 'export default () => Object.assign(() => {}, { enabled: false })',
    }))
    setup.onResolve({ filter: /^(node:)?http$/ }, ({ importer }) =>
      importer.includes('@koa') ? { path: 'http', namespace: 'light' } : undefined,
    )
    setup.onLoad({ filter: /^http$/, namespace: 'light' }, () => ({ contents: `export default { METHODS: ${JSON.stringify(METHODS)} }` }))
    setup.onResolve({ filter: /^pino$/ }, ({ resolveDir }) => setup.resolve('pino/browser', { resolveDir, kind: 'import-statement' }))
  },
}
