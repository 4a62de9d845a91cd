import { realpath } from 'node:fs/promises'
import { registerHooks } from 'node:module'
import { sep } from 'node:path'
import { pathToFileURL } from 'node:url'

const sdk: Readonly<Record<string, string>> = {
  '@xcore/sdk': new URL('../../../sdk/index.ts', import.meta.url).href,
  '@xcore/sdk/testing': new URL('../../../sdk/testing/index.ts', import.meta.url).href,
}

/**
 * Lets the files of plugins, wherever their folders are, import the host's own `@xcore/sdk`, `typebox` and `@koa/router`:
 * a plugin needs no node_modules of its own, and host and plugin share one copy of each. What a plugin has in its own
 * node_modules resolves as always.
 */
export class SdkResolution implements Disposable {
  readonly #folders = new Set<string>()
  readonly #hooks = registerHooks({
    resolve: (specifier, context, nextResolve) => {
      if (!isShared(specifier) || !this.#isOfPlugin(context.parentURL)) return nextResolve(specifier, context)
      // The same file for `import` and `require`: two builds of one library would be two copies.
      return { url: sdk[specifier] ?? import.meta.resolve(specifier), shortCircuit: true }
    },
  })

  async add(folder: string): Promise<void> {
    // Node names modules by their real paths.
    this.#folders.add(pathToFileURL((await realpath(folder)) + sep).href)
  }

  [Symbol.dispose](): void {
    this.#hooks.deregister()
  }

  #isOfPlugin(importer: string | undefined): boolean {
    if (importer === undefined) return false
    for (const folder of this.#folders) {
      if (importer.startsWith(folder) && !importer.slice(folder.length).includes('node_modules/')) return true
    }
    return false
  }
}

function isShared(specifier: string): boolean {
  return Object.hasOwn(sdk, specifier) || specifier === 'typebox' || specifier.startsWith('typebox/') || specifier === '@koa/router'
}
