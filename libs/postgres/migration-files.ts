import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { XCoreError } from '../errors/index.ts'

export const MIGRATIONS_DIR = join(import.meta.dirname, '..', '..', 'migrations')

export interface MigrationFile {
  /** The file's name without `.sql`. */
  readonly name: string
  readonly path: string
  /** Of the text with LF line endings, so that a checkout on another system gives the same. */
  readonly sha256: string
}

/** The migrations in a folder, in order. Throws `migration_failed` for a name that does not fit `0001_what_it_does.sql` or a number used twice. */
export async function readMigrations(dir: string): Promise<MigrationFile[]> {
  const names = (await readdir(dir)).filter((file) => file.endsWith('.sql') && !file.startsWith('.')).sort()
  names.forEach((file, index) => {
    const number = /^(\d{4})_[a-z0-9_-]+\.sql$/.exec(file)?.[1]
    if (number === undefined || number === names[index - 1]?.slice(0, 4)) {
      throw new XCoreError(
        'migration_failed',
        `Expected a name like 0001_what_it_does.sql, each number once, found ${join(dir, file)}. Rename the file.`,
      )
    }
  })
  return await Promise.all(
    names.map(async (file) => {
      const path = join(dir, file)
      const text = (await readFile(path, 'utf8')).replaceAll('\r\n', '\n')
      return { name: file.slice(0, -'.sql'.length), path, sha256: createHash('sha256').update(text).digest('hex') }
    }),
  )
}
