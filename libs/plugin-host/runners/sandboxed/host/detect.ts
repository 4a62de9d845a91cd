import { access, constants, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { SystemTools } from './rings.ts'

/** Where the system keeps its programs, beside the PATH of this process. */
const FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin', '/sbin']

export async function findTools(path: string = process.env['PATH'] ?? ''): Promise<SystemTools> {
  const folders = [...FOLDERS, ...path.split(delimiter).filter((folder) => folder.startsWith('/'))]
  const find = async (name: string): Promise<string | null> => {
    for (const folder of folders) {
      const file = join(folder, name)
      if (
        await access(file, constants.X_OK).then(
          () => true,
          () => false,
        )
      )
        return file
    }
    return null
  }
  return { setpriv: await find('setpriv'), prlimit: await find('prlimit'), bwrap: await find('bwrap') }
}

export async function readUidMap(): Promise<string> {
  return readFile('/proc/self/uid_map', 'utf8').catch(() => '0 0 4294967295')
}
