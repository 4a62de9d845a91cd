/**
 * `node --import …/register.ts --test`: lets tests of plugins in any folder find `@xcore/sdk` and what it shares with the host, as
 * `xcore plugin test` does.
 */
import { registerHooks } from 'node:module'
import { sharedModule } from '../../plugin-host/runners/trusted/shared-modules.ts'

/** The host's own files find their packages by themselves. */
const HOST = ['libs/', 'apps/'].map((folder) => new URL(`../../../${folder}`, import.meta.url).href)

registerHooks({
  resolve(specifier, context, nextResolve) {
    const { parentURL = '' } = context
    const own = parentURL.includes('/node_modules/') || HOST.some((folder) => parentURL.startsWith(folder))
    const url = own ? undefined : sharedModule(specifier)
    return url === undefined ? nextResolve(specifier, context) : { url, shortCircuit: true }
  },
})
