import { execFile } from 'node:child_process'
import { chown, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { XCoreError } from '../../errors/index.ts'

const run = promisify(execFile)

/** Under which user Postgres runs and how to start a program that way. */
export interface RunAs {
  /** Undefined: this process's own user. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
  /** Gives a file or folder of ours to that user. */
  give(path: string): Promise<void>
  command(
    program: string,
    args: readonly string[],
  ): { readonly program: string; readonly args: string[]; readonly uid?: number; readonly gid?: number }
}

/**
 * Postgres refuses to run as root. For root it runs as the owner of the existing data folder, else as `postgres`, else as
 * `nobody`; no user is made. Where that user could not reach the folder or the programs (e.g. both below /root), the server
 * keeps the capability to pass such folders instead of their permissions being loosened.
 * `setpriv` (util-linux), where there is one, also makes the kernel stop the server when this process dies, however it dies.
 */
export async function chooseRunAs(clusterDir: string, programs: readonly string[]): Promise<RunAs> {
  const setpriv =
    process.platform === 'linux' &&
    (await run('setpriv', ['--pdeathsig', 'keep', 'true']).then(
      () => true,
      () => false,
    ))
  // SIGINT: fast shutdown.
  const dieWithParent = ['--pdeathsig', 'INT']
  if (process.getuid?.() !== 0) {
    return {
      user: undefined,
      give: async () => {},
      command: (program, args) =>
        setpriv ? { program: 'setpriv', args: [...dieWithParent, '--', program, ...args] } : { program, args: [...args] },
    }
  }

  const user = (await ownerOf(clusterDir)) ?? (await lookUp('postgres')) ?? (await lookUp('nobody'))
  if (user === undefined) {
    throw new XCoreError(
      'database_unavailable',
      'Expected a user `postgres` or `nobody` to run the embedded PostgreSQL (it refuses root), but found neither. Run XCore as a normal user, or set DATABASE_URL.',
    )
  }
  const reachable = (await Promise.all([dirname(clusterDir), ...programs].map((path) => canReach(path, user)))).every(Boolean)
  if (!reachable && !setpriv) {
    throw new XCoreError(
      'database_unavailable',
      `Expected user ${user.uid} to reach ${dirname(clusterDir)} and ${programs[0] ?? ''} (PostgreSQL refuses to run as root), but a folder above is closed to it. Move them, install setpriv (util-linux), or set DATABASE_URL.`,
    )
  }
  const { uid, gid } = user
  const become = ['--reuid', String(uid), '--regid', String(gid), '--clear-groups']
  // Without no_setuid_fixup, access(2), which Postgres asks about its own files, would ignore the capability.
  const passFolders = reachable
    ? []
    : ['--inh-caps', '+dac_override', '--ambient-caps', '+dac_override', '--securebits', '+no_setuid_fixup']
  return {
    user,
    give: (path) => chown(path, uid, gid),
    command: (program, args) =>
      setpriv
        ? { program: 'setpriv', args: [...become, ...passFolders, ...dieWithParent, '--', program, ...args] }
        : { program, args: [...args], uid, gid },
  }
}

async function ownerOf(path: string): Promise<{ uid: number; gid: number } | undefined> {
  const found = await stat(path).catch(() => undefined)
  return found === undefined || found.uid === 0 ? undefined : { uid: found.uid, gid: found.gid }
}

async function lookUp(name: string): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  } catch {
    return undefined
  }
}

/** Whether the user may enter all folders above `path` and read and run `path` itself. */
async function canReach(path: string, user: { uid: number; gid: number }): Promise<boolean> {
  for (let at = path; ; at = dirname(at)) {
    const { mode, uid, gid } = await stat(at)
    const bits = uid === user.uid ? mode >> 6 : gid === user.gid ? mode >> 3 : mode
    const needed = at === path ? 0b101 : 0b001
    if ((bits & needed) !== needed) return false
    if (at === dirname(at)) return true
  }
}
