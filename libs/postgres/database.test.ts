import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isErrorCode } from '../errors/index.ts'
import { sqlState } from './connection.ts'
import { createDatabase } from './database.ts'
import type { PooledDatabase } from './database.ts'
import type { Sql, Tx } from './sql.ts'
import { testDatabase } from './testing/index.ts'
import type { TestDatabase } from './testing/index.ts'

let home: TestDatabase
let db: PooledDatabase
before(async () => {
  home = await testDatabase({ migrated: false })
  db = createDatabase({ url: home.url, applicationName: 'database test', max: 3 })
  await db.run('create schema xcore; create table xcore.notes (id int primary key, text text)')
})
after(async () => {
  await db.close()
  await home.drop()
})

const INSERT = { name: 'test_insert', text: 'insert into notes (id, text) values ($1, $2)' }
const backend = async (sql: Sql) => (await sql.run<{ pid: number }>('select pg_backend_pid() as pid'))[0]?.pid

test('finds our tables first, then public ones, and limits every statement', async () => {
  const [row] = await db.run(`select current_setting('search_path') as path, current_setting('statement_timeout') as statement,
    current_setting('lock_timeout') as lock, current_setting('idle_in_transaction_session_timeout') as idle`)
  assert.deepEqual(row, { path: 'xcore,public', statement: '30s', lock: '10s', idle: '1min' })
})

test('gives times as dates, JSON parsed, and large numbers as strings', async () => {
  const [row] = await db.query(
    { name: 'test_types', text: "select $1::int8 as big, timestamptz '2026-01-02T03:04:05Z' as at, $2::jsonb as json, 3::int4 as small" },
    ['9007199254740993', { a: [1] }],
  )
  assert.deepEqual(row, { big: '9007199254740993', at: new Date('2026-01-02T03:04:05Z'), json: { a: [1] }, small: 3 })
})

test('gives the rows of the last of several unnamed statements', async () => {
  assert.deepEqual(await db.run('select 1 as a; select 2 as b'), [{ b: 2 }])
})

test('commits what a transaction wrote, and nothing of one that rejects', async () => {
  await db.transaction((tx) => tx.query(INSERT, [1, 'kept']))
  await assert.rejects(
    db.transaction(async (tx) => {
      await tx.query(INSERT, [2, 'lost'])
      throw new Error('no')
    }),
    /^Error: no$/,
  )
  assert.deepEqual(await db.run('select id from notes order by id'), [{ id: 1 }])
})

test('runs statements that are issued together in the order of the calls, and reports the first that fails', async () => {
  await assert.rejects(
    db.transaction((tx) => Promise.all([tx.query(INSERT, [10, 'a']), tx.query(INSERT, [10, 'again']), tx.query(INSERT, [11, 'b'])])),
    (error) => sqlState(error) === '23505',
  )
  await db.transaction((tx) =>
    Promise.all([tx.query(INSERT, [10, 'a']), tx.run('update notes set text = text || $1 where id = 10', ['b'])]),
  )
  assert.deepEqual(await db.run('select text from notes where id >= 10'), [{ text: 'ab' }])
})

test('does not call a transaction committed in which the error of a statement was swallowed', async () => {
  await assert.rejects(
    db.transaction(async (tx) => {
      await tx.query(INSERT, [20, 'x'])
      await tx.run('select 1/0').catch(() => {})
    }),
    /swallowed/,
  )
  assert.deepEqual(await db.run('select id from notes where id = 20'), [])
})

test('refuses statements on a transaction that has ended', async () => {
  let leaked: Tx | undefined
  await db.transaction(async (tx) => {
    leaked = tx
  })
  await assert.rejects(async () => leaked?.run('select 1'), /has ended/)
})

test('keeps a connection after a failed statement, and drops one that was cut off', async () => {
  const single = createDatabase({ url: home.url, applicationName: 'single', max: 1 })
  try {
    const first = await backend(single)
    await assert.rejects(single.run('select 1/0'), (error) => sqlState(error) === '22012')
    assert.equal(await backend(single), first)
    await assert.rejects(
      single.transaction((tx) => tx.run('select pg_terminate_backend(pg_backend_pid())')),
      (error) => error instanceof Error && 'code' in error && error.code === 'database_unavailable',
    )
    assert.notEqual(await backend(single), first)
  } finally {
    await single.close()
  }
})

test('survives that idle connections are cut off', async () => {
  const pid = await backend(db)
  await db.transaction(async (tx) => {
    assert.notEqual(await backend(tx), undefined)
    await db.run(
      "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'database test' and pid <> pg_backend_pid() and state = 'idle'",
    )
  })
  await db.ready()
  assert.notEqual(pid, undefined)
})

test('says that the outcome is unknown when the connection breaks during the commit', async () => {
  await db.run(`create function cut_off() returns trigger language plpgsql as $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
    create table doomed (id int); create constraint trigger cut after insert on doomed deferrable initially deferred for each row execute function cut_off()`)
  await assert.rejects(
    db.transaction((tx) => tx.run('insert into doomed values (1)')),
    { code: 'database_unavailable', details: { address: new URL(home.url).host + '/' + home.name, commit: 'unknown' } },
  )
})

test('names the address and the remedy, never the password', async () => {
  const wrong = new URL(home.url)
  wrong.password = 'sesame'
  const away = createDatabase({ url: 'postgres://xcore:sesame@127.0.0.1:1/xcore', applicationName: 'away' })
  const refused = createDatabase({ url: wrong.href, applicationName: 'refused' })
  const missing = createDatabase({ url: home.url.replace(home.name, 'no_such_database'), applicationName: 'missing' })
  try {
    for (const [pool, message] of [
      [away, /127\.0\.0\.1:1\/xcore.*nothing listens there/],
      [refused, /user and password/],
      [missing, /Create the database/],
    ] as const) {
      await assert.rejects(pool.ready(), (error) => {
        assert.ok(error instanceof Error && 'code' in error && typeof error.code === 'string' && isErrorCode(error.code))
        assert.equal(error.code, 'database_unavailable')
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /sesame/)
        return true
      })
    }
  } finally {
    await Promise.all([away.close(), refused.close(), missing.close()])
  }
})

test('keeps the options that the URL brings', async () => {
  const url = new URL(home.url)
  url.searchParams.set('options', '-c work_mem=7MB')
  const custom = createDatabase({ url: url.href, applicationName: 'custom', synchronousCommit: 'off' })
  try {
    assert.deepEqual(
      await custom.run(
        "select current_setting('work_mem') as mem, current_setting('synchronous_commit') as sync, current_schema as schema",
      ),
      [{ mem: '7MB', sync: 'off', schema: 'xcore' }],
    )
  } finally {
    await custom.close()
  }
})

test('says that the pool is busy, not that the server is away', async () => {
  const small = createDatabase({ url: home.url, applicationName: 'small', max: 1, connectTimeoutMs: 50 })
  try {
    await small.transaction(async () => {
      await assert.rejects(small.ready(), { code: 'database_unavailable', message: /all 1 of this pool were busy/ })
    })
    await small.ready()
  } finally {
    await small.close()
  }
})
