import { lstat, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'xcore-sandbox-'

/**
 * A folder of this process for bundles, which any user may enter and nobody else may list or write: sandboxes run as users of
 * their own. Folders of processes that are gone (a kill -9) are removed on the way.
 */
export async function makeBundleFolder(base: string = tmpdir()): Promise<string> {
  await removeLeftOvers(base)
  const folder = await mkdtemp(join(base, `${PREFIX}${process.pid}-`))
  await rm(folder, { recursive: true })
  await mkdir(folder, { mode: 0o711 })
  return folder
}

async function removeLeftOvers(base: string): Promise<void> {
  for (const name of await readdir(base).catch(() => [])) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1])
    if (!Number.isInteger(pid) || isAlive(pid)) continue
    const path = join(base, name)
    const found = await lstat(path).catch(() => undefined)
    if (found?.isDirectory() === true && found.uid === process.getuid?.()) await rm(path, { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return !(thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH')
  }
}
