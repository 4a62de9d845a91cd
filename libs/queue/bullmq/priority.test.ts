import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bullPriority, lowestScore, ownPriority, restoredScore, scoredPriority } from './priority.ts'

const priority = fc.integer({ min: 0, max: 100 })
const time = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2400, 0, 1) })
/** BullMQ's score of a job that is added in the ordinary way. */
const added = (own: number, counter: number) => bullPriority(own) * 0x100000000 + counter

test('priorities come back, and higher ones are lower numbers above 0', () => {
  fc.assert(
    fc.property(priority, priority, (a, b) => {
      assert.equal(ownPriority(bullPriority(a)), a)
      assert.ok(bullPriority(a) > 0)
      assert.equal(Math.sign(bullPriority(a) - bullPriority(b)), Math.sign(b - a))
    }),
  )
})

test('restored jobs are ordered by priority, then by the millisecond of their request', () => {
  fc.assert(
    fc.property(priority, priority, time, time, (p, q, s, t) => {
      const order = Math.sign(q - p) || Math.sign(s - t)
      assert.equal(Math.sign(restoredScore(p, s) - restoredScore(q, t)), order)
    }),
  )
})

test('a restored job comes before all of its priority that were added since, and after all of higher ones', () => {
  fc.assert(
    fc.property(priority, priority, time, fc.integer({ min: 1, max: 2 ** 30 }), (p, q, t, counter) => {
      const score = restoredScore(p, t)
      assert.equal(Math.sign(score - added(q, counter)), p < q ? 1 : -1)
      assert.equal(scoredPriority(score), bullPriority(p))
      assert.equal(scoredPriority(added(q, counter)), bullPriority(q))
      assert.ok(lowestScore(bullPriority(p)) <= score)
    }),
  )
})
