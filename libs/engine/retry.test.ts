import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { retryDelaySeconds } from './retry.ts'

const policy = fc
  .record({ backoffSeconds: fc.double({ min: 0, max: 100, noNaN: true }), more: fc.double({ min: 0, max: 1e6, noNaN: true }) })
  .map(({ backoffSeconds, more }) => ({ maxAttempts: 3, backoffSeconds, maxBackoffSeconds: backoffSeconds + more }))
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

test('the delay lies between none and the doubled base, never above the limit, however many attempts', () => {
  fc.assert(
    fc.property(policy, fc.integer({ min: 1, max: 32_767 }), random, (each, attempt, dice) => {
      const delay = retryDelaySeconds(each, attempt, dice)
      assert.ok(delay >= 0 && delay <= each.maxBackoffSeconds)
      if (attempt < 50) assert.ok(delay <= each.backoffSeconds * 2 ** (attempt - 1))
    }),
  )
})

test('the ceiling doubles with each attempt and full jitter spreads below it', () => {
  const each = { maxAttempts: 10, backoffSeconds: 1, maxBackoffSeconds: 20 }
  const ceilings = [1, 2, 3, 4, 5, 6, 7].map((attempt) => retryDelaySeconds(each, attempt, 1))
  assert.deepEqual(ceilings, [1, 2, 4, 8, 16, 20, 20])
  assert.equal(retryDelaySeconds(each, 4, 0), 0)
  assert.equal(retryDelaySeconds(each, 4, 0.5), 4)
})
