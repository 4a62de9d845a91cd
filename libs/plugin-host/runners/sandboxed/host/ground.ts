import { realpath, rm } from 'node:fs/promises'
import { XCoreError } from '../../../../errors/index.ts'
import type { Manifest } from '../../../../manifest/index.ts'
import { makeBundleFolder } from './bundle-folder.ts'
import { bundleProgram } from './bundle-program.ts'
import { findTools, readUidMap } from './detect.ts'
import { probe } from './probe.ts'
import type { Probed } from './probe.ts'
import { atLeast } from './rings.ts'
import type { LaunchPlan, Ring, SystemTools } from './rings.ts'
import { sandboxUid } from './uids.ts'

/** What all sandboxes of this process stand on. */
export interface Ground extends AsyncDisposable {
  /** For bundles. Removed at the end. */
  readonly folder: string
  /** Absolute paths of what runs inside, and of Node. */
  readonly program: string
  readonly node: string
  readonly tools: SystemTools
  readonly uidMap: string
  readonly probed: Probed
}

/**
 * Bundles the program, and finds out which ring this machine reaches; `only`: tries this one alone. `slot`: of the user that it is tried with.
 * Rejects with XCoreError `sandbox_unsupported` where there are no sandboxes at all.
 */
export async function prepareGround(slot: number, only?: Ring): Promise<Ground> {
  if (process.platform !== 'linux') {
    throw new XCoreError(
      'sandbox_unsupported',
      `sandboxed plugins need Linux, found ${process.platform}; use \`execution_mode: trusted\` if you trust the code`,
    )
  }
  const folder = await makeBundleFolder()
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const [program, node, tools, uidMap] = await Promise.all([
      bundleProgram(`${folder}/program`),
      realpath(process.execPath),
      findTools(),
      readUidMap(),
    ])
    const uid = process.getuid?.() === 0 ? sandboxUid(process.pid, slot, uidMap) : null
    const probed = await probe({ node, program, tools, uid, ...(only === undefined ? {} : { only }) })
    return { folder, program, node, tools, uidMap, probed, [Symbol.asyncDispose]: remove }
  } catch (thrown) {
    await remove()
    throw thrown
  }
}

/** How a plugin's sandbox is started. */
export function planOf(ground: Ground, bundle: string, manifest: Pick<Manifest, 'resources'>, slot: number): LaunchPlan {
  const { node, program, tools, uidMap } = ground
  const { ring } = ground.probed
  const uid = ring === 'permission' || process.getuid?.() !== 0 ? null : sandboxUid(process.pid, slot, uidMap)
  return { ring, node, program, bundle, maxMemoryMb: manifest.resources.maxMemoryMb, uid, tools }
}

/** Throws XCoreError `sandbox_unsupported` below the least ring that is accepted. */
export function requireRing({ ring, missing }: Probed, least: Ring, plugin: string): void {
  if (atLeast(ring, least)) return
  throw new XCoreError(
    'sandbox_unsupported',
    `plugin ${plugin}: sandbox.require is ${least}, but this machine reaches ${ring} only (${missing.join('; ')})`,
  )
}

/** The strongest ring of this machine, and why not a stronger one: for a look without a plugin. */
export async function reachedRing(): Promise<Probed> {
  await using ground = await prepareGround(0)
  return ground.probed
}
