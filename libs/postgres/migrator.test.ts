import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { createDatabase } from './database.ts'
import { MIGRATIONS_DIR } from './migration-files.ts'
import { migrate, pendingMigrations } from './migrator.ts'
import { testDatabase, testLogger } from './testing/index.ts'
import type { TestDatabase } from './testing/index.ts'
import { startProcess } from './testing/processes/process.ts'

let home: TestDatabase
let dir: string
beforeEach(async () => {
  home = await testDatabase({ migrated: false })
  dir = await mkdtemp(join(tmpdir(), 'xcore-migrations-'))
  await add('0001_first', 'create table notes (id int);\ninsert into notes values (1);')
  await add('0002_second', 'alter table notes add text text default $$a;b$$; -- ends without a line break')
})
afterEach(async () => {
  await home.drop()
  await rm(dir, { recursive: true })
})

const add = (name: string, sql: string) => writeFile(join(dir, `${name}.sql`), sql)
const up = () => migrate(home.url, { logger: testLogger, dir })

async function rows(sql: string): Promise<object[]> {
  const db = createDatabase({ url: home.url, applicationName: 'migrator test' })
  try {
    return await db.run(sql)
  } finally {
    await db.close()
  }
}

test('applies what is missing, in order, in schema xcore, once', async () => {
  await writeFile(join(dir, 'README.md'), 'not a migration')
  assert.deepEqual(await pendingMigrations(home.url, { dir }), ['0001_first', '0002_second'])
  assert.deepEqual(await up(), ['0001_first', '0002_second'])
  assert.deepEqual(await up(), [])
  await add('0003_third', 'insert into notes values (2)')
  assert.deepEqual(await pendingMigrations(home.url, { dir }), ['0003_third'])
  assert.deepEqual(await up(), ['0003_third'])
  assert.deepEqual(await rows('select id, text from xcore.notes order by id'), [
    { id: 1, text: 'a;b' },
    { id: 2, text: 'a;b' },
  ])
})

test('changes nothing when one of them fails, and says which', async () => {
  await add('0003_third', 'create table more (id int); select nonsense')
  await assert.rejects(up(), { code: 'migration_failed', message: /0003_third.*nonsense/ })
  assert.deepEqual(await pendingMigrations(home.url, { dir }), ['0001_first', '0002_second', '0003_third'])
  assert.deepEqual(await rows("select to_regclass('xcore.notes') as notes"), [{ notes: null }])
  await add('0003_third', 'create table more (id int)')
  assert.equal((await up()).length, 3)
  assert.deepEqual(await up(), [])
})

test('refuses a file that was changed after it was applied, but not other line endings', async () => {
  await up()
  await add('0001_first', 'create table notes (id int);\r\ninsert into notes values (1);')
  assert.deepEqual(await up(), [])
  await add('0001_first', 'create table notes (id bigint);')
  await assert.rejects(up(), { code: 'migration_failed', message: /0001_first\.sql.*text has changed/ })
  await assert.rejects(pendingMigrations(home.url, { dir }), { code: 'migration_failed' })
})

test('refuses a database that is newer than the code', async () => {
  await up()
  await rm(join(dir, '0002_second.sql'))
  await assert.rejects(up(), { code: 'migration_failed', message: /holds migration 0002_second; the newest one here is 0001_first/ })
})

test('refuses a file that would come before one that was applied', async () => {
  await up()
  await rm(join(dir, '0002_second.sql'))
  await add('0002_a-late-one', 'select 1')
  await assert.rejects(up(), { code: 'migration_failed' })
})

test('refuses file names that do not fit, and numbers used twice', async () => {
  await add('0002_again', 'select 1')
  await assert.rejects(up(), { code: 'migration_failed', message: /each number once.*0002_second\.sql/ })
  await rm(join(dir, '0002_again.sql'))
  await add('three', 'select 1')
  await assert.rejects(up(), { code: 'migration_failed', message: /three\.sql/ })
})

test('says that the database is away', async () => {
  await assert.rejects(migrate('postgres://xcore@127.0.0.1:1/xcore', { logger: testLogger, dir }), { code: 'database_unavailable' })
  await assert.rejects(pendingMigrations('postgres://xcore@127.0.0.1:1/xcore', { dir }), { code: 'database_unavailable' })
})

test('when six processes start at once, one applies and all succeed', async () => {
  await add('0003_slow', 'select pg_sleep(0.2); create table slow (id int)')
  const processes = Array.from({ length: 6 }, () => startProcess('migrate', [home.url, dir]))
  await Promise.all(processes.map((each) => each.next()))
  const ends = processes.map((each) => each.end())
  const applied = await Promise.all(processes.map(async (each) => (await each.next())['applied']))
  await Promise.all(ends)
  assert.deepEqual(applied.toSorted(), [[], [], [], [], [], ['0001_first', '0002_second', '0003_slow']])
})

test("XCore's own migrations apply to an empty database, and the template has them", async () => {
  const names = (await readdir(MIGRATIONS_DIR)).filter((name) => name.endsWith('.sql')).map((name) => name.slice(0, -4))
  assert.deepEqual(await migrate(home.url, { logger: testLogger }), names.sort())
  await using ready = await testDatabase()
  assert.deepEqual(await pendingMigrations(ready.url), [])
})
