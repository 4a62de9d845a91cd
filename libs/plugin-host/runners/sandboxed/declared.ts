import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import { XCoreError } from '../../../errors/index.ts'
import type { Manifest } from '../../../manifest/index.ts'
import type { ActionInfo } from '../../port.ts'
import { bundlePlugin } from './host/bundle-plugin.ts'
import { checkOffer } from './host/checked-offer.ts'
import { planOf, prepareGround, requireRing } from './host/ground.ts'
import { SandboxProcess } from './host/process.ts'
import type { Ring } from './host/rings.ts'
import { stackMap } from './host/stack-map.ts'

const IMPORT_MS = 10_000

/**
 * The actions that a sandboxed plugin declares: its code is imported in a sandbox that may ask for nothing, and no hook of it is run.
 * Rejects with XCoreError `plugin_load_failed`, `sandbox_boot_failed`, `sandbox_unsupported`.
 */
export async function declaredInSandbox(folder: string, manifest: Manifest, least: Ring): Promise<readonly ActionInfo[]> {
  await using ground = await prepareGround(0)
  requireRing(ground.probed, least, manifest.name)
  const bundle = await bundlePlugin(folder, manifest.entryPoint, ground.folder)
  const { process, loaded } = await SandboxProcess.start({
    plan: planOf(ground, bundle.path, manifest, 1),
    logger: pino({ level: 'silent' }),
    stacks: stackMap({ bundle: bundle.path, program: ground.program, map: bundle.sourceMap }),
    bootMs: IMPORT_MS,
    onCall: async (_work, { op }) => {
      throw new XCoreError('permission_denied', `${op}: a plugin that is only looked at may ask for nothing`)
    },
    onMetric: () => {},
    init: {
      declareOnly: true,
      plugin: manifest.name,
      version: manifest.version,
      bundle: pathToFileURL(bundle.path).href,
      entryPoint: manifest.entryPoint,
      env: {},
      config: {},
      maxAttempts: 1,
      deadlines: { load: IMPORT_MS, unload: 1_000, reload: 1_000, hook: 1_000 },
      services: [],
      previousState: null,
      permissions: [],
      level: 'silent',
    },
  })
  process.end('unloaded', 'it was looked at')
  await process.ended
  checkOffer(manifest.name, loaded)
  return loaded.actions.map(({ name, input, output = null }) => ({ name, input, output }))
}
