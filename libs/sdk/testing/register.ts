/**
 * `node --import …/register.ts --test`: lets tests of plugins in any folder find `@xcore/sdk` and what it shares with the host, as
 * `xcore plugin test` does.
 */
import { registerHooks } from 'node:module'
import { sharedModule } from '../../plugin-host/runners/trusted/shared-modules.ts'

registerHooks({
  resolve(specifier, context, nextResolve) {
    const url = context.parentURL?.includes('/node_modules/') === true ? undefined : sharedModule(specifier)
    return url === undefined ? nextResolve(specifier, context) : { url, shortCircuit: true }
  },
})
