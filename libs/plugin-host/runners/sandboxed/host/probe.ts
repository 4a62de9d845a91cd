import { launch } from './launch.ts'
import { RINGS } from './rings.ts'
import type { LaunchPlan, Ring } from './rings.ts'

export interface Probed {
  /** The strongest ring in which a sandbox starts on this machine. */
  readonly ring: Ring
  /** Why not a stronger one, and what would help. */
  readonly missing: readonly string[]
}

export interface ProbeOptions extends Pick<LaunchPlan, 'node' | 'program' | 'tools' | 'uid'> {
  /** Tries this one alone. */
  readonly only?: Ring
}

const PROBE_MS = 5_000

/**
 * Starts an empty sandbox in each ring, strongest first, until one says hello: what a machine, a container or its settings allow
 * is found out by trying only.
 */
export async function probe(options: ProbeOptions): Promise<Probed> {
  const missing: string[] = []
  const rings = options.only === undefined ? RINGS.toReversed() : [options.only]
  for (const ring of rings) {
    const problem = lacking(ring, options) ?? (await tryRing(ring, options))
    if (problem === undefined) return { ring, missing }
    missing.push(`${ring}: ${problem}`)
  }
  throw new Error(`no sandbox starts on this machine: ${missing.join('; ')}`)
}

function lacking(ring: Ring, { tools, uid }: ProbeOptions): string | undefined {
  if (ring === 'bwrap' && tools.bwrap === null) return 'bwrap was not found; install bubblewrap'
  if (ring === 'uid' && uid === null) return 'XCore does not run as root, which may start a process as another user'
  if (ring === 'uid' && (tools.setpriv === null || tools.prlimit === null)) return 'setpriv and prlimit were not found; install util-linux'
  return undefined
}

async function tryRing(ring: Ring, options: ProbeOptions): Promise<string | undefined> {
  const child = launch({ ...options, ring, uid: ring === 'permission' ? null : options.uid, bundle: options.program, maxMemoryMb: 128 })
  let stderr = ''
  child.stderr.on('data', (piece: Buffer) => (stderr = (stderr + piece.toString('utf8')).slice(-500)))
  child.stderr.on('error', () => {})
  child.wire.on('error', () => {})
  const hello = new Promise<undefined>((resolve) => child.wire.once('data', () => resolve(undefined)))
  const late = Promise.withResolvers<string>()
  const timer = setTimeout(() => late.resolve(`it did not start within ${PROBE_MS} ms`), PROBE_MS)
  const ended = child.exited.then(
    ({ code, signal, error }) => `${error?.message ?? `it ended with ${signal ?? code}`}: ${stderr.trim() || 'no message'}`,
  )
  const problem = await Promise.race([hello, late.promise, ended])
  clearTimeout(timer)
  child.kill()
  child.wire.destroy()
  await child.exited
  return problem
}
