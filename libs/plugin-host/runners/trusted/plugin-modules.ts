import { realpath } from 'node:fs/promises'
import { createRequire, registerHooks } from 'node:module'
import { join, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { sharedModule } from './shared-modules.ts'

/** In the query of a module's URL: which load of the plugin it belongs to. */
const GENERATION = 'reload'

/**
 * How the files of plugins, wherever their folders are, find what they import.
 * - `@xcore/sdk`, `typebox` and `@koa/router` are the host's own: a plugin needs no node_modules, and host and plugin share one copy of
 *   each. What a plugin has in its own node_modules resolves as always.
 * - Each load of a plugin gets its files anew. Node keeps every module for good, by its URL, so from the second load on all URLs inside
 *   the folder carry the number of the load; a file is asked for by files of the same load, also when an old instance imports late.
 *   What is in node_modules stays as it was first loaded. The modules of earlier loads are never freed (docs/plugins/lifecycle.md).
 */
export class PluginModules implements Disposable {
  /** Folders (as URLs that end in `/`), to the number of their latest load. */
  readonly #loads = new Map<string, number>()
  /** Folders whose `.js` files are CommonJS whatever the nearest package.json says. */
  readonly #commonJs = new Set<string>()
  readonly #hooks = registerHooks({
    resolve: (specifier, context, nextResolve) => {
      const from = this.#folderOf(context.parentURL)
      const shared = from === undefined ? undefined : sharedModule(specifier)
      if (shared !== undefined) return { url: shared, shortCircuit: true }
      const resolved = nextResolve(specifier, context)
      const into = this.#folderOf(resolved.url)
      if (into === undefined) return resolved
      const format = this.#commonJs.has(into) && /[.]js($|[?#])/.test(resolved.url) ? { format: 'commonjs' } : {}
      const load = from === into ? new URL(context.parentURL ?? '').searchParams.get(GENERATION) : null
      return { ...resolved, ...format, url: load === null ? resolved.url : numbered(resolved.url, load) }
    },
  })

  /** Begins a load of the plugin in `folder`; returns the URL to import for the file at `path` inside of it. */
  async begin(folder: string, path: string, commonJs: boolean): Promise<string> {
    // Node names modules by their real paths.
    const real = (await realpath(folder)) + sep
    const url = pathToFileURL(real).href
    const load = (this.#loads.get(url) ?? -1) + 1
    this.#loads.set(url, load)
    if (commonJs) this.#commonJs.add(url)
    else this.#commonJs.delete(url)
    if (load > 0) forgetRequired(real)
    const entry = pathToFileURL(await realpath(join(folder, path))).href
    return load === 0 ? entry : numbered(entry, String(load))
  }

  [Symbol.dispose](): void {
    this.#hooks.deregister()
  }

  #folderOf(url: string | undefined): string | undefined {
    if (url === undefined) return undefined
    for (const folder of this.#loads.keys()) {
      if (url.startsWith(folder) && !url.slice(folder.length).includes('node_modules/')) return folder
    }
    return undefined
  }
}

function numbered(url: string, load: string): string {
  const made = new URL(url)
  made.searchParams.set(GENERATION, load)
  return made.href
}

/** `require` knows files by path alone: what it has of the folder must be read again. */
function forgetRequired(folder: string): void {
  const { cache } = createRequire(import.meta.url)
  for (const path of Object.keys(cache)) {
    if (path.startsWith(folder) && !path.slice(folder.length).includes(`node_modules${sep}`)) delete cache[path]
  }
}
