import { createHash, randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { MIGRATIONS_DIR, readMigrations } from '../migration-files.ts'
import { migrate } from '../migrator.ts'
import { testServerUrl } from './own-server.ts'
import { testLogger } from './test-server.ts'

export interface TestDatabase extends AsyncDisposable {
  readonly url: string
  readonly name: string
  /** Ends what is connected to it and removes it. The same as `await using`. */
  drop(): Promise<void>
}

export interface TestDatabaseOptions {
  /** Default true. False: empty. */
  readonly migrated?: boolean
}

/** A fresh database with all migrations applied, copied from a template in some 30 ms. */
export async function testDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const serverUrl = await testServerUrl()
  const name = `test_${randomUUID().replaceAll('-', '').slice(0, 16)}`
  await withAdmin(serverUrl, async (admin) => {
    const template = options.migrated === false ? 'template0' : await ensureTemplate(admin, serverUrl)
    await admin.query(`create database ${name} template ${template} strategy file_copy`)
  })
  const drop = () => withAdmin(serverUrl, (admin) => admin.query(`drop database if exists ${name} with (force)`)).then(() => {})
  return { url: urlOf(serverUrl, name), name, drop, [Symbol.asyncDispose]: drop }
}

let template: Promise<string> | undefined

function ensureTemplate(admin: Client, serverUrl: string): Promise<string> {
  return (template ??= makeTemplate(admin, serverUrl))
}

/** Made by the first test file that needs it; named after the migrations, so a kept server never gives an old one. */
async function makeTemplate(admin: Client, serverUrl: string): Promise<string> {
  const files = await readMigrations(MIGRATIONS_DIR)
  const version = createHash('sha256')
    .update(files.map(({ sha256 }) => sha256).join())
    .digest('hex')
    .slice(0, 12)
  const name = `template_${version}`
  await admin.query("select pg_advisory_lock(hashtextextended('xcore test template', 0))")
  const { rowCount } = await admin.query('select from pg_database where datname = $1', [name])
  if (rowCount === 0) {
    const draft = `${name}_draft`
    await admin.query(`drop database if exists ${draft} with (force)`)
    await admin.query(`create database ${draft} template template0 strategy file_copy`)
    await migrate(urlOf(serverUrl, draft), { logger: testLogger })
    await admin.query(`alter database ${draft} rename to ${name}`)
  }
  await admin.query("select pg_advisory_unlock(hashtextextended('xcore test template', 0))")
  return name
}

async function withAdmin<T>(serverUrl: string, use: (admin: Client) => Promise<T>): Promise<T> {
  const admin = new Client({ connectionString: urlOf(serverUrl, 'postgres') })
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.end()
  }
}

function urlOf(serverUrl: string, database: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${database}`
  return url.href
}
