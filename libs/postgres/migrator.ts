import { Client } from 'pg'
import { XCoreError, messageOf } from '../errors/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import { SCHEMA, clientConfig, databaseError } from './connection.ts'
import { MIGRATIONS_DIR, readMigrations } from './migration-files.ts'
import type { MigrationFile } from './migration-files.ts'
import type { Sql, Statement } from './sql.ts'

export interface MigrateOptions {
  readonly logger: Logger
  /** Default: `migrations/` of XCore. */
  readonly dir?: string
}

const APPLIED: Statement = { name: 'applied_migrations', text: `select name from ${SCHEMA}.migrations` }
const LOCK = "hashtextextended('xcore migrate', 0)"

/**
 * Brings the database up to date; all pending files in one transaction. Several processes may call it at once: one works, the
 * others wait. Returns the names that were applied.
 * Throws `migration_failed` (a statement failed; a landed file was changed; the database is newer than this XCore) and
 * `database_unavailable`.
 */
export async function migrate(url: string, options: MigrateOptions): Promise<string[]> {
  const dir = options.dir ?? MIGRATIONS_DIR
  const files = await readMigrations(dir)
  return await withClient(url, async (client) => {
    // Released with the connection. The wait for it has no limit: the holder may be busy with a large table.
    await client.query(`select pg_advisory_lock(${LOCK})`)
    const pending = checkHistory(files, await readHistory(client))
    if (pending.length === 0) return []
    await client.query(`create schema if not exists ${SCHEMA}`)
    await client.query(`create table if not exists ${SCHEMA}.migration_checksums (name text primary key, sha256 text not null)`)
    await client.query("set lock_timeout = '30s'")
    // Before the run, so that no applied file is ever without one; a failed run's are overwritten by the next.
    await client.query(
      `insert into ${SCHEMA}.migration_checksums (name, sha256) select * from unnest($1::text[], $2::text[]) on conflict (name) do update set sha256 = excluded.sha256`,
      [pending.map(({ name }) => name), pending.map(({ sha256 }) => sha256)],
    )
    await run(client, dir, options.logger)
    return pending.map(({ name }) => name)
  })
}

/**
 * The names of the migrations that the database still lacks. Changes nothing.
 * Throws `migration_failed` when its history does not fit this XCore, and `database_unavailable`.
 */
export async function pendingMigrations(url: string, options: { readonly dir?: string } = {}): Promise<string[]> {
  const files = await readMigrations(options.dir ?? MIGRATIONS_DIR)
  return await withClient(url, async (client) => checkHistory(files, await readHistory(client)).map(({ name }) => name))
}

/** As `pendingMigrations`, on an open connection and without a look at the files' contents: cheap enough to ask often. */
export async function missingMigrations(sql: Sql, options: { readonly dir?: string } = {}): Promise<string[]> {
  const files = await readMigrations(options.dir ?? MIGRATIONS_DIR)
  const applied = new Set((await sql.query<{ name: string }>(APPLIED)).map(({ name }) => name))
  return files.map(({ name }) => name).filter((name) => !applied.has(name))
}

async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(clientConfig({ url, applicationName: 'xcore migrate', statementTimeoutMs: 0, lockTimeoutMs: 0 }))
  client.on('error', () => {})
  try {
    await client.connect()
    return await use(client)
  } catch (error) {
    throw databaseError(error, url)
  } finally {
    await client.end()
  }
}

interface Applied {
  readonly name: string
  readonly sha256: string | null
}

async function readHistory(client: Client): Promise<readonly Applied[]> {
  const { rows: found } = await client.query<{ there: boolean }>(`select to_regclass('${SCHEMA}.migrations') is not null as there`)
  if (found[0]?.there !== true) return []
  const { rows } = await client.query<Applied>(
    `select name, sha256 from ${SCHEMA}.migrations left join ${SCHEMA}.migration_checksums using (name) order by run_on, id`,
  )
  return rows
}

/** Compares what the database has with the files, and returns the files that it lacks. */
function checkHistory(files: readonly MigrationFile[], history: readonly Applied[]): readonly MigrationFile[] {
  for (const { name, sha256 } of history) {
    const file = files.find((each) => each.name === name)
    if (file === undefined) {
      throw new XCoreError(
        'migration_failed',
        `Expected a database that this XCore knows, but it holds migration ${name}; the newest one here is ${files.at(-1)?.name ?? '(none)'}. Run the XCore version that applied it, or a newer one.`,
      )
    }
    if (sha256 !== file.sha256) {
      throw new XCoreError(
        'migration_failed',
        `Expected ${file.path} as it was when it was applied (SHA-256 ${sha256 ?? 'unknown'}), but its text has changed (now ${file.sha256}). Restore the file, and put the change into a new migration.`,
      )
    }
  }
  const applied = new Set(history.map(({ name }) => name))
  return files.filter(({ name }) => !applied.has(name))
}

async function run(client: Client, dir: string, logger: Logger): Promise<void> {
  let current = ''
  const remember = (line: string) => {
    current = /^### MIGRATION (\S+)/.exec(line)?.[1] ?? current
    logger.debug(line)
  }
  // Loaded only when there is something to do: it takes longer than all the checks.
  const { runner } = await import('node-pg-migrate')
  try {
    await runner({
      dbClient: client,
      dir,
      ignorePattern: '(?!.*\\.sql$).*',
      direction: 'up',
      singleTransaction: true,
      schema: [SCHEMA, 'public'],
      migrationsSchema: SCHEMA,
      migrationsTable: 'migrations',
      // We hold our own lock around the checks as well.
      noLock: true,
      verbose: false,
      logger: { info: remember, warn: (line: string) => logger.debug(line), error: (line: string) => logger.debug(line) },
    })
  } catch (error) {
    const translated = databaseError(error, '')
    if (translated instanceof XCoreError) throw error
    throw new XCoreError(
      'migration_failed',
      `Expected migration ${current || 'run'} to succeed, but: ${messageOf(error)}. Nothing was changed. The file is in ${dir}.`,
      { cause: error },
    )
  }
}
