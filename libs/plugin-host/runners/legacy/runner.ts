import type { Runner } from '../../runner.ts'
import { runnerOf } from '../trusted/runner.ts'
import { instantiateLegacy } from './instantiate.ts'

const runner = runnerOf(instantiateLegacy)

/** Runs old-style plugins in this process, by the rules of trusted ones. */
export const legacyRunner: Runner = {
  async load(plugin) {
    plugin.logger.warn(
      `plugin ${plugin.manifest.name}: execution_mode legacy is deprecated; export default a class that extends TrustedBase of @xcore/sdk, ` +
        'and set execution_mode: trusted',
    )
    return runner.load(plugin)
  },
}
