import { createHash } from 'node:crypto'
import { readFile, readdir, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { DatabaseError } from 'pg'
import { XCoreError, messageOf } from '../../errors/index.ts'
import type { Database, Statement } from '../../postgres/sql.ts'
import type { PluginConnection } from './connections.ts'
import { lineAndColumn } from './sql-error.ts'

export interface PluginMigration {
  /** `migrations/0001_items.sql` */
  readonly file: string
  /** `0001_items` */
  readonly name: string
  readonly text: string
  /** Of the text with LF line endings. */
  readonly sha256: string
}

const FOLDER = 'migrations'
const MAX_FILE_BYTES = 64 * 1024 * 1024
/** A large table may take its time. */
const LONGEST_MS = 24 * 60 * 60 * 1000
const NAME = /^(\d{1,9})_[A-Za-z0-9_.-]+\.sql$/

/** A plugin's migrations in the order of their numbers; none when it has no such folder. Throws XCoreError `plugin_migration_failed`. */
export async function readPluginMigrations(folder: string): Promise<PluginMigration[]> {
  const names = (await filesIn(join(folder, FOLDER))).filter((name) => name.endsWith('.sql') && !name.startsWith('.'))
  const numbered = names.map((file) => ({ file, number: Number(NAME.exec(file)?.[1] ?? Number.NaN) }))
  numbered.sort((a, b) => a.number - b.number || (a.file < b.file ? -1 : 1))
  numbered.forEach(({ file, number }, index) => {
    if (Number.isNaN(number) || number === numbered[index - 1]?.number) {
      throw failed(`expected a name like 0001_what_it_does.sql, each number once, found ${FOLDER}/${file}; rename it`)
    }
  })
  return Promise.all(
    numbered.map(async ({ file }) => {
      const text = (await ownText(folder, `${FOLDER}/${file}`)).replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
      return {
        file: `${FOLDER}/${file}`,
        name: file.slice(0, -'.sql'.length),
        text,
        sha256: createHash('sha256').update(text).digest('hex'),
      }
    }),
  )
}

/** What a link or a device would bring in is not the plugin's. */
async function ownText(folder: string, path: string): Promise<string> {
  const [root, real] = await Promise.all([realpath(folder), realpath(join(folder, path))])
  const found = await stat(real)
  if (!real.startsWith(root + sep) || !found.isFile() || found.size > MAX_FILE_BYTES) {
    throw failed(`expected ${path} to be a plain file in the plugin's folder, of at most ${MAX_FILE_BYTES} bytes, found something else`)
  }
  return readFile(real, 'utf8')
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

const APPLIED: Statement = {
  name: 'plugin_migrations_applied',
  text: `select name, sha256 from xcore.plugin_migrations where plugin = $1`,
}

export interface AppliedMigration {
  readonly name: string
  readonly sha256: string
}

/**
 * Which files are still to be applied. Pure. Throws XCoreError `plugin_migration_failed` for one that was changed after it was applied,
 * and for one whose number comes before an applied one. Applied ones whose files are gone are let be: an older version of the plugin
 * may run beside a newer one.
 */
export function pendingMigrations(files: readonly PluginMigration[], applied: readonly AppliedMigration[]): readonly PluginMigration[] {
  const sums = new Map(applied.map(({ name, sha256 }) => [name, sha256]))
  const pending: PluginMigration[] = []
  for (const file of files) {
    const sum = sums.get(file.name)
    if (sum === undefined) pending.push(file)
    else if (sum !== file.sha256) {
      throw failed(
        `${file.file}: expected the text as it was when it was applied (SHA-256 ${sum}), found another one (${file.sha256}); ` +
          'restore the file, and put the change into a new one',
      )
    } else if (pending[0] !== undefined) {
      throw failed(
        `${pending[0].file}: expected a number after that of ${file.file}, which is applied already; give it the next free number`,
      )
    }
  }
  return pending
}

/** The same over the database, without changing anything. */
export async function findPending(
  database: Database,
  plugin: string,
  files: readonly PluginMigration[],
): Promise<readonly PluginMigration[]> {
  return pendingMigrations(files, await database.query<AppliedMigration>(APPLIED, [plugin]))
}

/** Says in the transaction that applies them that they are applied. */
export function recordMigrations(plugin: string, files: readonly PluginMigration[]) {
  return {
    text: `insert into xcore.plugin_migrations (plugin, name, sha256) select $1, name, sum from unnest($2::text[], $3::text[]) as applied (name, sum)`,
    params: [plugin, files.map(({ name }) => name), files.map(({ sha256 }) => sha256)],
    rows: files.length,
    label: 'migrations',
  } as const
}

/** Runs one file in the open transaction. Throws XCoreError `plugin_migration_failed` with file, line and column. */
export async function runMigration(connection: PluginConnection, migration: PluginMigration): Promise<void> {
  try {
    await connection.raw('select xcore_plugins.run($1)', [migration.text], LONGEST_MS)
  } catch (error) {
    throw failed(
      `${migration.file}${positionOf(error, migration.text)}: ${explain(error)}; nothing of the pending migrations was applied`,
      error,
    )
  }
}

function positionOf(error: unknown, text: string): string {
  if (!(error instanceof DatabaseError) || error.internalPosition === undefined) return ''
  // A position in a function that the file calls is not one in the file.
  if (error.internalQuery !== undefined && error.internalQuery !== text) return ''
  return `, ${lineAndColumn(text, Number(error.internalPosition))}`
}

function explain(error: unknown): string {
  const code = error instanceof DatabaseError ? (error.code ?? '') : ''
  if (code === '0A000' && /EXECUTE of transaction commands/.test(messageOf(error))) {
    return 'expected no BEGIN, COMMIT or ROLLBACK, found one: all pending files are applied in one transaction'
  }
  return code === '' ? messageOf(error) : `${messageOf(error)} (SQLSTATE ${code})`
}

function failed(message: string, cause?: unknown): XCoreError {
  return new XCoreError('plugin_migration_failed', message, cause === undefined ? {} : { cause })
}
