import assert from 'node:assert/strict'
import { test } from 'node:test'
import { done, testPlugins } from '../../engine/testing/plugins.ts'
import { READ_ONLY, owner, testDb } from './testing/db-platform.ts'

const nobody = testPlugins({ shop: { handlers: { order: () => done() } } })

test('a plugin queries its own schema', async () => {
  await using t = await testDb(nobody, { consume: false })
  const db = t.db.of(owner('shop'))
  await db.query('create table orders (id bigint generated always as identity, at timestamptz not null, note jsonb)')
  const at = new Date('2026-01-02T03:04:05.678Z')
  const [made] = await db.query<{ id: number }>('insert into orders (at, note) values ($1, $2) returning id', [at, { rush: true }])
  assert.equal(made?.id, 1)
  assert.deepEqual(await db.query('select * from orders'), [{ id: 1, at, note: { rush: true } }])
  const [where] = await db.query<{ schema: string }>('select table_schema as schema from information_schema.tables where table_name = $1', [
    'orders',
  ])
  assert.equal(where?.schema, 'plugin_shop')
})

test('a name with a hyphen, or longer than Postgres takes, has a schema as well', async () => {
  await using t = await testDb(nobody, { consume: false })
  for (const name of ['my-plugin', `a${'-long'.repeat(12)}er`]) {
    const db = t.db.of(owner(name))
    await db.query('create table t (n int)')
    assert.deepEqual(await db.query('select count(*) from t'), [{ count: 0 }])
  }
})

test('values come as what JSON or JavaScript can hold', async () => {
  await using t = await testDb(nobody, { consume: false })
  const db = t.db.of(owner('shop'))
  const [row] = await db.query(
    `select 3::bigint as small, 9007199254740993::bigint as large, 1.10::numeric as money, date '2026-02-03' as day,
       array[1, 9007199254740993]::bigint[] as many, '{"a":[1]}'::jsonb as doc, '\\x01'::bytea as bytes, null as nothing, count(*) from (values (1)) v`,
  )
  assert.deepEqual(row, {
    small: 3,
    large: '9007199254740993',
    money: '1.10',
    day: '2026-02-03',
    many: [1, '9007199254740993'],
    doc: { a: [1] },
    bytes: Buffer.from([1]),
    nothing: null,
    count: 1,
  })
  assert.deepEqual(await db.query('select $1::bigint as big, $2::text as gone, $3::int[] as list', [12n, undefined, [1, 2]]), [
    { big: 12, gone: null, list: [1, 2] },
  ])
})

test('bad calls and bad SQL are told of with codes', async () => {
  await using t = await testDb(nobody, { consume: false })
  const db = t.db.of(owner('shop'))
  await db.query('create table people (email text unique)')
  await db.query('insert into people values ($1)', ['secret@example.com'])
  await assert.rejects(
    db.query('insert into people values ($1)', ['secret@example.com']),
    (error: Error & { code: string; details: object }) => {
      assert.equal(error.code, 'database_error')
      assert.deepEqual(error.details, { sqlstate: '23505', constraint: 'people_email_key', table: 'people' })
      assert.doesNotMatch(error.message, /secret/)
      return true
    },
  )
  await assert.rejects(db.query('selec 1'), { code: 'database_error', message: /line 1, column 1.*SQLSTATE 42601/ })
  await assert.rejects(db.query('select 1; select 2'), { code: 'database_error', message: /One statement a call/ })
  for (const [sql, params] of [
    ['', []],
    ['select $1', [() => 1]],
    ['select $1', [new Date(Number.NaN)]],
    ['select $1', ['\u0000']],
    ['select $1', [{ n: 1n }]],
  ] as const)
    await assert.rejects(db.query(sql, params), { code: 'bad_request' })
})

test('a plugin that may only read cannot write, whatever it sends', async () => {
  await using t = await testDb(nobody, { consume: false })
  const writer = t.db.of(owner('shop'))
  await writer.query('create table orders (id int)')
  await writer.query('insert into orders values (1)')
  await writer.query(`create function sneak() returns void language sql security definer as 'insert into plugin_shop.orders values (9)'`)
  const reader = t.db.of(owner('shop', READ_ONLY))
  assert.deepEqual(await reader.query('select * from orders'), [{ id: 1 }])
  await assert.rejects(reader.query('insert into orders values (2)'), { code: 'permission_denied' })
  await assert.rejects(
    reader.session(async (session) => {
      await session.query('set default_transaction_read_only = off')
      await session.query('set session characteristics as transaction read write')
      await session.query('insert into orders values (2)')
    }),
    { code: 'permission_denied', message: /42501/ },
  )
  await assert.rejects(
    reader.transaction(async (tx) => tx.query('insert into orders values (2)')),
    { code: 'permission_denied', message: /42501/ },
  )
  await assert.rejects(
    reader.transaction(async (tx) => tx.query('select sneak()')),
    { code: 'permission_denied', message: /42501/ },
  )
  await assert.rejects(
    reader.transaction(async (tx) => tx.query('create table mine ()')),
    { code: 'permission_denied', message: /42501/ },
  )
  assert.deepEqual(await writer.query('select * from orders'), [{ id: 1 }])
  await assert.rejects(t.db.of(owner('shop', [])).query('select 1'), { code: 'permission_denied', message: /db.plugin_shop/ })
})

test('a transaction commits or leaves nothing, and refuses to be ended from inside', async () => {
  await using t = await testDb(nobody, { consume: false })
  const db = t.db.of(owner('shop'))
  await db.query('create table orders (id int unique deferrable initially deferred)')
  assert.equal(await db.transaction(async (tx) => (await tx.query('insert into orders values (1) returning id')).length), 1)
  await assert.rejects(
    db.transaction(async (tx) => {
      await tx.query('insert into orders values (2)')
      throw new Error('changed my mind')
    }),
    /changed my mind/,
  )
  for (const sql of ['commit', '/* x */ ROLLBACK', 'end', 'prepare transaction $$x$$', 'begin', '; abort', 'rollback and chain']) {
    await assert.rejects(
      db.transaction(async (tx) => tx.query(sql)),
      { code: 'bad_request' },
      sql,
    )
  }
  await assert.rejects(
    db.transaction(async (tx) => tx.query('do $$ begin commit; end $$')),
    { code: 'database_error' },
  )
  await db.transaction(async (tx) => {
    await tx.query('savepoint mine')
    await tx.query('insert into orders values (3)')
    await tx.query('rollback to savepoint mine')
  })
  // Found only at the commit.
  await assert.rejects(
    db.transaction(async (tx) => tx.query('insert into orders values (1)')),
    { code: 'database_error', message: /23505/ },
  )
  // Swallowed, so that the commit finds an aborted transaction.
  await assert.rejects(
    db.transaction(async (tx) => tx.query('select 1/0').catch(() => [])),
    { code: 'database_error' },
  )
  let leaked: { query(sql: string): Promise<unknown> } | undefined
  await db.transaction(async (tx) => void (leaked = tx))
  await assert.rejects(async () => leaked?.query('insert into orders values (4)'), { code: 'bad_request' })
  assert.deepEqual(await db.query('select * from orders'), [{ id: 1 }])
})

test('what a session sets is gone with it', async () => {
  await using t = await testDb(nobody, { consume: false })
  const db = t.db.of(owner('shop'))
  await db.session(async (session) => {
    await session.query('create temporary table scratch (n int)')
    await session.query('insert into scratch values (1)')
    await session.query('set search_path = pg_catalog')
    assert.deepEqual(await session.query('select n from scratch'), [{ n: 1 }])
    await session.transaction(async (tx) => tx.query('insert into scratch values (2)'))
    assert.deepEqual(await session.query('select count(*) from scratch'), [{ count: 2 }])
  })
  await db.session(async (session) => {
    assert.deepEqual(await session.query('show search_path'), [{ search_path: '"plugin_shop"' }])
    await assert.rejects(session.query('select * from scratch'), { code: 'database_error', message: /42P01/ })
  })
})

test('a transaction past its time is ended in the server, though the plugin lifted its own limits', async () => {
  await using t = await testDb(nobody, { consume: false, longestMs: 300 })
  const db = t.db.of(owner('shop'))
  await assert.rejects(
    db.transaction(async (tx) => {
      await tx.query('set local statement_timeout = 0')
      await tx.query('select pg_sleep(60)')
    }),
    { code: 'database_error', message: /ended after 0.3 s/ },
  )
  await assert.rejects(
    db.session(async (session) => {
      await session.query('set statement_timeout = 0')
      await session.query('select pg_sleep(60)')
    }),
    { code: 'database_error' },
  )
})
