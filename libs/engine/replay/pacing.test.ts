import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { allowance, nextTurnMs, paceAfter } from './pacing.ts'

const rates = fc.double({ min: 0.01, max: 100_000, noNaN: true })

test('whatever the turns, a paced replay stays at its rate plus what it may catch up with', () => {
  fc.assert(
    fc.property(rates, fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 100 }), (rate, waits) => {
      let now = 1_000_000
      let pace = now
      let taken = 0
      const begin = now
      for (const wait of waits) {
        now += wait
        const most = allowance(pace, rate, now, 1_000)
        assert.ok(Number.isInteger(most) && most >= 0 && most <= 1_000)
        pace = paceAfter(pace, rate, now, most)
        taken += most
        assert.ok(pace <= now + 1e-3)
      }
      assert.ok(taken <= ((now - begin) * rate) / 1000 + 1e-6 * taken + 1)
    }),
  )
})

test('it never stalls: a turn when one was due finds an item', () => {
  fc.assert(
    fc.property(rates, (rate) => {
      let now = 5_000_000
      let pace = now
      for (let turn = 0; turn < 20; turn++) {
        now += nextTurnMs(pace, rate, now)
        const most = allowance(pace, rate, now, 1_000)
        assert.ok(most >= 1, `rate ${rate}, turn ${turn}`)
        pace = paceAfter(pace, rate, now, most)
      }
      // It keeps its rate, but for one item at either end and what it takes at most in a turn.
      assert.ok(nextTurnMs(pace, rate, now) >= 1)
    }),
  )
})

test('a long pause is not caught up with in a burst', () => {
  assert.equal(allowance(0, 50, 3_600_000, 1_000), 50)
  assert.equal(allowance(0, null, 3_600_000, 1_000), 1_000)
})
