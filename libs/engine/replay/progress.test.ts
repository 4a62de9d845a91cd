import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { failsTooOften, progressOf } from './progress.ts'
import type { ProgressInput } from './progress.ts'

const count = fc.nat({ max: 1_000_000 })
const inputs: fc.Arbitrary<ProgressInput> = fc.record({
  total: count,
  enqueued: count,
  leftOut: fc.record({ unhandled: count, invalid: count }, { requiredKeys: [] }),
  selected: fc.boolean(),
  ended: fc.boolean(),
  ratePerSecond: fc.option(fc.double({ min: 0.01, max: 1e5, noNaN: true })),
  elapsedMs: fc.nat({ max: 1e9 }),
  counts: fc.record({ live: count, succeeded: count, failed: count, cancelled: count }),
})

test('progress is never negative, and an estimate is a whole number of seconds or none', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const { remaining, etaSeconds } = progressOf(input)
      assert.ok(remaining >= 0 && remaining <= input.total)
      assert.ok(etaSeconds === null || (Number.isInteger(etaSeconds) && etaSeconds >= 0))
      if (remaining === 0 && input.counts.live === 0) assert.equal(etaSeconds, null)
    }),
  )
})

test('the estimate is the slower of rate and outcomes', () => {
  const input: ProgressInput = {
    total: 1_000,
    enqueued: 200,
    leftOut: { unsafe: 100 },
    selected: false,
    ended: false,
    ratePerSecond: 10,
    elapsedMs: 20_000,
    counts: { live: 0, succeeded: 150, failed: 50, cancelled: 0 },
  }
  assert.deepEqual([progressOf(input).remaining, progressOf(input).etaSeconds], [700, 70])
  assert.equal(progressOf({ ...input, counts: { live: 100, succeeded: 80, failed: 20, cancelled: 0 } }).etaSeconds, 160)
  assert.equal(progressOf({ ...input, counts: { live: 200, succeeded: 0, failed: 0, cancelled: 0 } }).etaSeconds, null)
})

test('it stops only when enough has finished, and more than the share failed', () => {
  const counts = (succeeded: number, failed: number) => ({ live: 0, cancelled: 0, succeeded, failed })
  assert.equal(failsTooOften(counts(0, 19), 0.5), false)
  assert.equal(failsTooOften(counts(10, 10), 0.5), false)
  assert.equal(failsTooOften(counts(9, 11), 0.5), true)
  assert.equal(failsTooOften(counts(0, 100), null), false)
  assert.equal(failsTooOften(counts(19, 1), 0), true)
})
