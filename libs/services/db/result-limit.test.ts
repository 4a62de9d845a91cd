import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testPlugins } from '../../engine/testing/plugins.ts'
import { owner, testDb } from './testing/db-platform.ts'

const MB = 1024 * 1024
const bounded = () => ({ ...owner('shop'), maxResultBytes: MB })
const tooLarge = { code: 'payload_too_large', message: /more than the 1048576 bytes.*Use limit/ }

test('an answer that is too large is cut off, whatever it is made of; what fits comes', async () => {
  await using t = await testDb(testPlugins({}), { consume: false })
  const db = t.db.of(bounded())
  const [fits] = await db.query<{ text: string }>(`select repeat('x', 900000) as text`)
  assert.equal(fits?.text.length, 900_000)
  for (const sql of [
    `select repeat('x', 50000000)`,
    `select repeat('x', 100000) from generate_series(1, 1000)`,
    'select from generate_series(1, 200000)',
    'select n from generate_series(1, 200000) n',
    `select array_agg(n) from generate_series(1, 500000) n`,
    `do $$ begin for n in 1..1000 loop raise notice '%', repeat('x', 10000); end loop; end $$`,
    `do $$ begin raise exception '%', repeat('x', 10000000); end $$`,
  ]) {
    await assert.rejects(db.query(sql), tooLarge, sql)
    await assert.rejects(
      db.session((session) => session.query(sql)),
      tooLarge,
      sql,
    )
    await assert.rejects(
      db.transaction((tx) => tx.query(sql)),
      tooLarge,
      sql,
    )
  }
  assert.deepEqual(await db.query('select 1 as one'), [{ one: 1 }])
  await t.database.run('select 1')
})

test('answers of several statements at once are bounded together, and each after the other is free again', async () => {
  await using t = await testDb(testPlugins({}), { consume: false })
  const db = t.db.of(bounded())
  for (let n = 0; n < 10; n += 1) await db.query(`select repeat('x', 900000)`)
  await db.session(async (session) => {
    for (let n = 0; n < 10; n += 1) await session.query(`select repeat('x', 900000)`)
  })
  const together = await Promise.allSettled(Array.from({ length: 8 }, () => db.query(`select repeat('x', 900000), pg_sleep(0.1)`)))
  for (const each of together) if (each.status === 'rejected') assert.equal(Reflect.get(Object(each.reason), 'code'), 'payload_too_large')
  assert.ok(together.some(({ status }) => status === 'fulfilled'))
  await db.query(`select repeat('x', 900000)`)
})

test('without a limit there is none', async () => {
  await using t = await testDb(testPlugins({}), { consume: false })
  const [row] = await t.db.of(owner('shop')).query<{ text: string }>(`select repeat('x', 3000000) as text`)
  assert.equal(row?.text.length, 3_000_000)
})
