import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_RETRY_AFTER_SECONDS, retryAfterSeconds } from './retry-after.ts'

const now = new Date('2026-03-01T12:00:00.000Z')

test('seconds and HTTP dates are read, other text is not', () => {
  const cases: readonly (readonly [string | undefined, number | undefined])[] = [
    [undefined, undefined],
    ['', undefined],
    ['0', 0],
    [' 120 ', 120],
    ['999999999', MAX_RETRY_AFTER_SECONDS],
    ['Sun, 01 Mar 2026 12:00:30 GMT', 30],
    ['Sunday, 01-Mar-26 12:00:05 GMT', 5],
    ['Sun Mar  1 12:00:07 2026 GMT', 7],
    ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
    ['Sun, 01 Mar 2027 12:00:00 GMT', MAX_RETRY_AFTER_SECONDS],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['2026-03-01T12:00:30Z', undefined],
  ]
  for (const [header, expected] of cases) assert.equal(retryAfterSeconds(header, now), expected, String(header))
})

test('whatever the header, the answer is whole seconds within the bounds or nothing', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.nat().map(String),
        fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
      ),
      (header) => {
        const seconds = retryAfterSeconds(header, now)
        if (seconds === undefined) return
        assert.ok(Number.isInteger(seconds) && seconds >= 0 && seconds <= MAX_RETRY_AFTER_SECONDS)
      },
    ),
  )
})
