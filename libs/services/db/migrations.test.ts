import assert from 'node:assert/strict'
import { test } from 'node:test'
import { done, testPlugins } from '../../engine/testing/plugins.ts'
import { pendingMigrations } from './migrations.ts'
import { READ_ONLY, folderWith, owner, testDb } from './testing/db-platform.ts'

const plugins = testPlugins({ shop: { handlers: { order: () => done() } } })

test('migrations are applied in order, once, and seeded data is there for a reader', async () => {
  await using t = await testDb(plugins, { consume: false })
  await using folder = await folderWith({
    'migrations/10_fill.sql': `insert into items values (2, 'two');\nupdate items set name = upper(name);`,
    'migrations/2_make.sql': `-- two statements\ncreate table items (id int primary key, name text);\ninsert into items values (1, 'one');\n`,
    'migrations/README.md': 'not SQL',
  })
  const shop = owner('shop', null, folder.path)
  await Promise.all([t.db.migrate(shop), t.db.migrate(shop), t.db.migrate(owner('shop', READ_ONLY, folder.path))])
  await t.db.migrate(shop)
  assert.deepEqual(await t.db.of(owner('shop', READ_ONLY)).query('select * from items order by id'), [
    { id: 1, name: 'ONE' },
    { id: 2, name: 'TWO' },
  ])
  // Another plugin with the same file names has a history of its own.
  await t.db.migrate(owner('stock', null, folder.path))
  const applied = await t.database.run(`select plugin, name from xcore.plugin_migrations order by 1, applied_at, name`)
  assert.equal(applied.length, 4)
})

test('a migration that fails names file, line and column, and leaves nothing of all that were pending', async () => {
  await using t = await testDb(plugins, { consume: false })
  for (const [text, expected] of [
    [
      'create table items ();\n\nalter tabel items;',
      /^migrations\/0002_bad.sql, line 3, column 7: syntax error .*42601.*nothing of the pending/,
    ],
    [`insert into items\n  select * from xcore.jobs;`, /0002_bad.sql.*permission denied.*42501/],
    ['create table more ();\ncommit;\ncreate table other ();', /0002_bad.sql.*expected no BEGIN, COMMIT or ROLLBACK/],
    ['create index concurrently i on items (id);', /0002_bad.sql.*cannot be executed from a function|0002_bad.sql.*CONCURRENTLY/],
    ['select 1 / 0;', /0002_bad.sql.*division by zero.*22012/],
  ] as const) {
    await using folder = await folderWith({ 'migrations/0001_good.sql': 'create table items (id int);', 'migrations/0002_bad.sql': text })
    await assert.rejects(t.db.migrate(owner('shop', null, folder.path)), { code: 'plugin_migration_failed', message: expected }, text)
    assert.deepEqual(await t.db.of(owner('shop')).query(`select from pg_class where relnamespace = 'plugin_shop'::regnamespace`), [])
  }
  assert.deepEqual(await t.database.run('select * from xcore.plugin_migrations'), [])
})

test('a file that was changed after it was applied is refused, and so are bad names', async () => {
  await using t = await testDb(plugins, { consume: false })
  await using before = await folderWith({ 'migrations/0001_a.sql': 'create table a ();\n' })
  await t.db.migrate(owner('shop', null, before.path))
  await using sameButForLineEnds = await folderWith({ 'migrations/0001_a.sql': 'create table a ();\r\n' })
  await t.db.migrate(owner('shop', null, sameButForLineEnds.path))
  await using changed = await folderWith({ 'migrations/0001_a.sql': 'create table b ();\n' })
  await assert.rejects(t.db.migrate(owner('shop', null, changed.path)), {
    code: 'plugin_migration_failed',
    message: /0001_a.sql: expected the text as it was/,
  })
  for (const names of [['first.sql'], ['0001_a.sql', '1_b.sql']]) {
    await using folder = await folderWith(Object.fromEntries(names.map((name) => [`migrations/${name}`, 'select 1'])))
    await assert.rejects(t.db.migrate(owner('shop', null, folder.path)), {
      code: 'plugin_migration_failed',
      message: /expected a name like/,
    })
  }
})

test('a file that comes before an applied one is refused; one that is gone is let be', () => {
  const file = (name: string) => ({ file: `migrations/${name}.sql`, name, text: '', sha256: name })
  const [a, b, c] = [file('1_a'), file('2_b'), file('3_c')]
  assert.deepEqual(pendingMigrations([a, b, c], [a]), [b, c])
  assert.deepEqual(pendingMigrations([a], [a, b]), [])
  assert.throws(() => pendingMigrations([a, b, c], [a, c]), {
    code: 'plugin_migration_failed',
    message: /2_b.sql: expected a number after that of migrations\/3_c.sql/,
  })
})
