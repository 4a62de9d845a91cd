import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { sqlState } from './connection.ts'
import { createDatabase } from './database.ts'
import type { PooledDatabase } from './database.ts'
import type { Tx } from './sql.ts'
import { testDatabase } from './testing/index.ts'
import type { TestDatabase } from './testing/index.ts'

const INSERT = { name: 'batch_insert', text: 'insert into things (id, text) values ($1, $2) returning id' }
const COUNT = { name: 'batch_count', text: 'select count(*)::int as there from things' }
const ECHO = { name: 'batch_echo', text: 'select $1::text[] as texts, $2::text as text, $3::float8[] as numbers' }

let home: TestDatabase
let db: PooledDatabase
before(async () => {
  home = await testDatabase({ migrated: false })
  db = createDatabase({ url: home.url, applicationName: 'batch test', max: 1 })
  await db.run('create table things (id int primary key, text text not null)')
})
after(async () => {
  await db.close()
  await home.drop()
})

const ids = async () => (await db.run<{ id: number }>('select id from things order by id')).map(({ id }) => id)
const backend = async () => (await db.run<{ pid: number }>('select pg_backend_pid() as pid'))[0]?.pid

test('commits its statements in one transaction, in order, each with its own rows', async () => {
  const answers = await db.atOnce((tx) =>
    Promise.all([
      tx.query(INSERT, [1, 'a']),
      tx.query(COUNT),
      tx.run('update things set text = text || $1', ['!']),
      tx.query(INSERT, [2, 'b']),
      tx.run('select count(distinct xmin::text)::int as transactions, count(*)::int as there from things'),
    ]),
  )
  assert.deepEqual(answers, [[{ id: 1 }], [{ there: 1 }], [], [{ id: 2 }], [{ transactions: 1, there: 2 }]])
})

test('writes nothing when a statement fails, also one that is new to the connection, and goes on afterwards', async () => {
  const kept = await ids()
  const pid = await backend()
  const fresh = { name: 'batch_new_to_all', text: 'insert into things (id, text) values ($1, $2)' }
  for (let round = 0; round < 2; round++) {
    await assert.rejects(
      db.atOnce((tx) => Promise.all([tx.query(INSERT, [10, 'a']), tx.query(INSERT, [10, 'again']), tx.query(fresh, [11, 'b'])])),
      (error) => sqlState(error) === '23505',
    )
    await assert.rejects(
      db.atOnce((tx) => Promise.all([tx.query(INSERT, [10, 'a']), tx.query(fresh, [11, null])])),
      (error) => sqlState(error) === '23502',
    )
  }
  assert.deepEqual(await ids(), kept)
  await db.atOnce((tx) => Promise.all([tx.query(INSERT, [12, 'a']), tx.query(fresh, [13, 'b'])]))
  assert.deepEqual(await ids(), [...kept, 12, 13])
  assert.equal(await backend(), pid)
})

test('two statements of one name are both run as they are written', async () => {
  const text = (number: number) => ({ name: 'batch_twice', text: `select ${number} as number` })
  for (const numbers of [[1, 2], [1], [2]]) {
    const rows = await db.atOnce((tx) => Promise.all(numbers.map((number) => tx.query(text(number)))))
    assert.deepEqual(
      rows.flat(),
      numbers.map((number) => ({ number })),
    )
  }
})

test('rejects when the error of a statement was swallowed', async () => {
  await assert.rejects(
    db.atOnce((tx) => Promise.all([tx.query(INSERT, [20, 'x']), tx.run('select 1/0').catch(() => [])])),
    (error) => sqlState(error) === '22012',
  )
  assert.deepEqual((await ids()).includes(20), false)
})

test('fails with what only the commit finds', async () => {
  await db.run('create table later (id int unique deferrable initially deferred)')
  await assert.rejects(
    db.atOnce((tx) => tx.run('insert into later values (1), (1)')),
    (error) => sqlState(error) === '23505',
  )
  assert.deepEqual(await db.run('select id from later'), [])
})

test('sends nothing when issuing throws, or a parameter cannot be sent; refuses what is issued too late', async () => {
  const kept = await ids()
  await assert.rejects(
    db.atOnce((tx) => {
      void tx.query(INSERT, [30, 'x'])
      throw new Error('no')
    }),
    /^Error: no$/,
  )
  await assert.rejects(
    db.atOnce((tx) => Promise.all([tx.query(INSERT, [30, 'x']), tx.query(INSERT, [31, Symbol('x')])])),
    TypeError,
  )
  let leaked: Tx | undefined
  assert.deepEqual(
    await db.atOnce(async (tx) => {
      leaked = tx
    }),
    undefined,
  )
  await assert.rejects(async () => leaked?.query(INSERT, [30, 'x']), /has ended/)
  assert.deepEqual(await ids(), kept)
})

test('says that the outcome is unknown when the connection is cut off under it, and takes another one', async () => {
  const pid = await backend()
  await assert.rejects(
    db.atOnce((tx) => Promise.all([tx.query(INSERT, [40, 'x']), tx.run('select pg_terminate_backend(pg_backend_pid())')])),
    (error) => {
      assert.ok(error instanceof Error && 'code' in error && 'details' in error)
      assert.deepEqual([error.code, Reflect.get(Object(error.details), 'commit')], ['database_unavailable', 'unknown'])
      return true
    },
  )
  assert.notEqual(await backend(), pid)
  assert.deepEqual((await ids()).includes(40), false)
})

test('carries texts and numbers of any kind to the server and back', async () => {
  const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\u0000'))
  const number = fc.double({ noNaN: true }).map((value) => value + 0)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(text)), fc.option(text), fc.array(number), async (texts, one, numbers) => {
      const [[row]] = await db.atOnce((tx) => Promise.all([tx.query(ECHO, [texts, one, numbers])]))
      assert.deepEqual(row, { texts, text: one, numbers })
    }),
    { numRuns: 60 },
  )
})
