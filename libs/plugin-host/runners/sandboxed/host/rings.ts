import { dirname } from 'node:path'

/** How a sandbox is fenced in, weakest first; each includes those before it where the system lets it. */
export const RINGS = ['permission', 'uid', 'bwrap'] as const
export type Ring = (typeof RINGS)[number]

export function atLeast(ring: Ring, least: Ring): boolean {
  return RINGS.indexOf(ring) >= RINGS.indexOf(least)
}

export interface LaunchPlan {
  readonly ring: Ring
  /** Absolute paths. */
  readonly node: string
  readonly program: string
  /** Folder of the program: its chunks. */
  readonly bundle: string
  readonly maxMemoryMb: number
  /** null: the user that runs XCore. */
  readonly uid: number | null
  /** Programs of the system, as found. */
  readonly tools: SystemTools
}

export interface SystemTools {
  readonly setpriv: string | null
  readonly prlimit: string | null
  readonly bwrap: string | null
}

const MB = 1024 * 1024
/** Threads: V8's workers, libuv's pool, the main one and some to spare. Only where the user is the sandbox's own. */
const MAX_THREADS = 48
/** Address space that Node reserves without using it (V8's cages). */
const RESERVED_MB = 1500

/** The command that starts a sandbox. Pure. */
export function commandOf(plan: LaunchPlan): readonly [string, ...string[]] {
  return join([setpriv(plan), prlimit(plan), bwrap(plan), node(plan)].flat())
}

function setpriv({ tools, uid }: LaunchPlan): readonly string[] {
  if (tools.setpriv === null) return []
  const drop = uid === null ? [] : [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--bounding-set=-all', '--inh-caps=-all']
  return [tools.setpriv, ...drop, '--no-new-privs', '--pdeathsig=KILL']
}

function prlimit({ tools, uid, maxMemoryMb }: LaunchPlan): readonly string[] {
  if (tools.prlimit === null) return []
  const own = uid === null ? [] : [`--nproc=${MAX_THREADS}`]
  return [tools.prlimit, '--core=0', '--fsize=0', '--nofile=64', '--msgqueue=0', ...own, `--as=${(RESERVED_MB + 2 * maxMemoryMb) * MB}`]
}

function bwrap({ ring, tools, node: path, program, bundle }: LaunchPlan): readonly string[] {
  if (ring !== 'bwrap' || tools.bwrap === null) return []
  const libraries = ['/usr/lib', '/usr/lib64', '/lib', '/lib64'].flatMap((folder) => ['--ro-bind-try', folder, folder])
  return [
    tools.bwrap,
    ...['--unshare-all', '--die-with-parent', '--new-session', '--as-pid-1', '--cap-drop', 'ALL', '--clearenv', '--hostname', 'sandbox'],
    ...libraries,
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...['--ro-bind', path, path, '--ro-bind', dirname(program), dirname(program), '--ro-bind', bundle, bundle],
    ...['--remount-ro', '/', '--chdir', '/', '--info-fd', '4', '--'],
  ]
}

function node({ node: path, program, bundle, maxMemoryMb }: LaunchPlan): readonly string[] {
  return [
    path,
    '--permission',
    `--allow-fs-read=${dirname(program)}/*`,
    `--allow-fs-read=${bundle}`,
    '--no-addons',
    '--disable-sigusr1',
    '--no-experimental-sqlite',
    '--no-experimental-ffi',
    '--no-experimental-require-module',
    '--no-experimental-webstorage',
    '--freeze-flags-after-init',
    '--disable-proto=throw',
    `--max-old-space-size=${Math.max(32, maxMemoryMb - 32)}`,
    '--max-semi-space-size=4',
    '--no-warnings',
    program,
  ]
}

function join(parts: readonly string[]): readonly [string, ...string[]] {
  const [first, ...rest] = parts
  if (first === undefined) throw new Error('a launch plan without a program')
  return [first, ...rest]
}
