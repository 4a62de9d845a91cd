import { messageOf } from '../../../libs/errors/index.ts'
import { discoverPlugins } from '../../../libs/manifest/index.ts'
import { reachedRing } from '../../../libs/plugin-host/runners/sandboxed/host/ground.ts'
import type { Probed } from '../../../libs/plugin-host/runners/sandboxed/host/probe.ts'
import { atLeast } from '../../../libs/plugin-host/runners/sandboxed/host/rings.ts'
import type { Ring } from '../../../libs/plugin-host/runners/sandboxed/host/rings.ts'
import { fail, ok, warn } from './finding.ts'
import type { Finding } from './finding.ts'

const NAME = 'sandbox'
const STRONGER =
  'Start XCore as root with setpriv and prlimit (util-linux), or install bubblewrap; docs/sandbox.md tells what each ring stops.'

/** What fences in the sandboxed plugins of the folder; nothing when there are none. Starts an empty sandbox to find out. */
export async function checkSandbox(pluginsDir: string, least: Ring): Promise<Finding[]> {
  const found = await discoverPlugins(pluginsDir).catch(() => [])
  if (!found.some((plugin) => plugin.ok && plugin.manifest.executionMode === 'sandboxed')) return []
  try {
    return [sandboxFinding(await reachedRing(), least)]
  } catch (error) {
    return [fail(NAME, messageOf(error), `${STRONGER} Or set \`execution_mode: trusted\` for plugins whose code you trust.`)]
  }
}

/** Pure. */
export function sandboxFinding({ ring, missing }: Probed, least: Ring): Finding {
  const why = missing.length === 0 ? '' : ` (${missing.join('; ')})`
  if (!atLeast(ring, least)) {
    return fail(NAME, `this machine reaches the ring ${ring}, sandbox.require is ${least}${why}`, `${STRONGER} Or lower sandbox.require.`)
  }
  if (ring === 'permission')
    return warn(NAME, `only the permission model of Node fences in sandboxed plugins${why}`, `${STRONGER} Fit for code that you know.`)
  return ok(NAME, `sandboxed plugins run in the ring ${ring}`)
}
