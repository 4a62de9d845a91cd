import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { take } from './gcra.ts'

const T0 = Date.UTC(2026, 0, 1)
const limits = fc.record({ calls: fc.integer({ min: 1, max: 1000 }), periodSeconds: fc.constantFrom(0.5, 1, 3, 60, 3600) })
/** Pauses as shares of the period, and how many are wanted after each. */
const steps = fc.array(
  fc.record({ pause: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 2, noNaN: true })), wanted: fc.integer({ min: 0, max: 1500 }) }),
  { maxLength: 40 },
)

test('in no stretch of time more than calls at once and the rate beyond', () => {
  fc.assert(
    fc.property(limits, steps, (limit, sequence) => {
      const interval = (limit.periodSeconds * 1000) / limit.calls
      const grants: { readonly at: number; readonly granted: number }[] = []
      let tat = -Infinity
      let now = T0
      for (const { pause, wanted } of sequence) {
        now += Math.round(pause * limit.periodSeconds * 1000)
        const taken = take(limit, tat, now, wanted)
        assert.ok(taken.granted >= 0 && taken.granted <= wanted)
        tat = taken.tat
        grants.push({ at: now, granted: taken.granted })
      }
      for (let from = 0; from < grants.length; from++) {
        let sum = 0
        for (let to = from; to < grants.length; to++) {
          sum += grants[to]?.granted ?? 0
          const elapsed = (grants[to]?.at ?? 0) - (grants[from]?.at ?? 0)
          assert.ok(
            sum <= limit.calls + elapsed / interval + 0.001,
            `${sum} in ${elapsed} ms of ${limit.calls} per ${limit.periodSeconds} s`,
          )
        }
      }
    }),
  )
})

test('what was refused is granted at the time that was named, and not before', () => {
  fc.assert(
    fc.property(limits, steps, (limit, sequence) => {
      let tat = -Infinity
      let now = T0
      for (const { pause, wanted } of sequence) {
        now += Math.round(pause * limit.periodSeconds * 1000)
        const taken = take(limit, tat, now, wanted)
        tat = taken.tat
        if (taken.granted === wanted) continue
        assert.ok(take(limit, tat, now + taken.retryAfterMs + 0.001, 1).granted >= 1)
        if (taken.retryAfterMs > 1) assert.equal(take(limit, tat, now + taken.retryAfterMs - 1, 1).granted, 0)
      }
    }),
  )
})

test('after a pause of one period all calls are there again', () => {
  const limit = { calls: 5, periodSeconds: 10 }
  const first = take(limit, -Infinity, T0, 9)
  assert.deepEqual([first.granted, first.retryAfterMs], [5, 2000])
  assert.equal(take(limit, first.tat, T0 + 1999, 1).granted, 0)
  assert.equal(take(limit, first.tat, T0 + 2000, 9).granted, 1)
  assert.equal(take(limit, first.tat, T0 + 10_000, 9).granted, 5)
  assert.equal(take(limit, first.tat, T0 + 1_000_000, 9).granted, 5)
})
