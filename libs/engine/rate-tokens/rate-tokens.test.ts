import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { createDatabase } from '../../postgres/database.ts'
import type { PooledDatabase } from '../../postgres/database.ts'
import { testDatabase } from '../../postgres/testing/index.ts'
import type { TestDatabase } from '../../postgres/testing/index.ts'
import { take } from './gcra.ts'
import { createRateTokens, takeSql } from './rate-tokens.ts'

let home: TestDatabase
let db: PooledDatabase
before(async () => {
  home = await testDatabase()
  db = createDatabase({ url: home.url, applicationName: 'rate tokens test', max: 8 })
})
after(async () => {
  await db.close()
  await home.drop()
})

const T0 = Date.UTC(2026, 0, 1)
const TAT = `select extract(epoch from tat)::float8 * 1000 as tat from xcore.rate_limits where plugin = $1`

test('the SQL does what the pure function does', async () => {
  // Whole microseconds between calls: Postgres keeps no more, and with less the two may part by a call for a microsecond.
  const limits = fc
    .record({ calls: fc.integer({ min: 1, max: 500 }), micros: fc.integer({ min: 500, max: 10_000_000 }) })
    .map(({ calls, micros }) => ({ calls, periodSeconds: (calls * micros) / 1e6 }))
  const steps = fc.array(
    fc.record({ pause: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1.5, noNaN: true })), wanted: fc.integer({ min: 0, max: 600 }) }),
    { minLength: 1, maxLength: 12 },
  )
  const sql = takeSql('$5::timestamptz')
  let plugin = 0
  await fc.assert(
    fc.asyncProperty(limits, steps, async (limit, sequence) => {
      const name = `equal_${++plugin}`
      await db.run(`insert into xcore.rate_limits (plugin, tat) values ($1, '-infinity')`, [name])
      let tat = -Infinity
      let now = T0
      for (const { pause, wanted } of sequence) {
        now += Math.round(pause * limit.periodSeconds * 1000)
        const expected = take(limit, tat, now, wanted)
        const [found] = await db.run<{ granted: number; retry_after: number }>(sql, [
          name,
          limit.calls,
          limit.periodSeconds,
          wanted,
          new Date(now),
        ])
        assert.equal(found?.granted, expected.granted)
        assert.ok(
          Math.abs(found.retry_after * 1000 - expected.retryAfterMs) < 0.01,
          `${found.retry_after * 1000} ms, expected ${expected.retryAfterMs}`,
        )
        const [row] = await db.run<{ tat: number }>(TAT, [name])
        assert.ok(
          row !== undefined && (row.tat === expected.tat || Math.abs(row.tat - expected.tat) < 0.01),
          `TAT ${row?.tat}, expected ${expected.tat}`,
        )
        // Postgres keeps microseconds: going on from its value keeps the rounding from adding up
        tat = row.tat
      }
    }),
    { numRuns: 60 },
  )
})

test('a burst can be taken in pieces, also when the calls are no whole microseconds apart', async () => {
  const tokens = createRateTokens(db)
  for (const calls of [3, 7, 182, 999]) {
    const limit = { calls, periodSeconds: 1000 }
    const pieces = [1, 1, Math.ceil((calls - 2) / 2), calls]
    let granted = 0
    for (const wanted of pieces) granted += (await tokens.take(`pieces_${calls}`, limit, wanted)).granted
    assert.ok(granted === calls || granted === calls + 1, `${granted} of ${calls}`)
  }
})

test('many takers in several processes never get more than calls and the rate beyond', async () => {
  const limit = { calls: 40, periodSeconds: 2 }
  const processes = Array.from({ length: 4 }, () => createRateTokens(db))
  const started = performance.now()
  const takers = Array.from({ length: 160 }, async (_, n) => {
    const tokens = processes[n % processes.length]
    assert.ok(tokens !== undefined)
    let got = 0
    for (let round = 0; round < 3; round++) got += (await tokens.take('busy', limit, 3)).granted
    return got
  })
  const total = (await Promise.all(takers)).reduce((sum, got) => sum + got, 0)
  const elapsed = (performance.now() - started) / 1000
  assert.ok(total >= limit.calls, `${total} granted`)
  assert.ok(total <= limit.calls + (elapsed * limit.calls) / limit.periodSeconds + 1, `${total} granted in ${elapsed} s`)
})

test('tokens that were given back can be taken again; a refusal names when to come back', async () => {
  const tokens = createRateTokens(db)
  const limit = { calls: 10, periodSeconds: 3600 }
  assert.deepEqual(await tokens.take('back', limit, 10), { granted: 10, retryAfterSeconds: 0 })
  const refused = await tokens.take('back', limit, 1)
  assert.equal(refused.granted, 0)
  assert.ok(refused.retryAfterSeconds > 300 && refused.retryAfterSeconds <= 360, `${refused.retryAfterSeconds}`)
  await tokens.giveBack('back', limit, 4)
  await tokens.giveBack('back', limit, 0)
  assert.equal((await tokens.take('back', limit, 10)).granted, 4)
})
