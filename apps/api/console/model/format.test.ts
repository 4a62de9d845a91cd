import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { age, clock, duration, plural, pretty, relative, roughAge, shortId } from './format.ts'

test('ages', () => {
  const told = [0, 59.9, 60, 200, 3600, 11_100, 86_400, 187_200, -5].map(age)
  assert.deepEqual(told, ['0 s', '59 s', '1 min', '3 min 20 s', '1 h', '3 h 5 min', '1 d', '2 d 4 h', '0 s'])
  assert.deepEqual([20, 89, 200, 10_000, 1e6].map(roughAge), ['20 s', '89 s', '3 min', '3 h', '12 d'])
  assert.deepEqual([0, 0.0042, 1.256, 123].map(duration), ['0 ms', '4 ms', '1.26 s', '2 min 3 s'])
})

test('an age never claims more than has passed', () => {
  const units: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600, d: 86_400 }
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e8, noNaN: true }), (seconds) => {
      const told = [...age(seconds).matchAll(/(\d+) (\w+)/g)].reduce(
        (sum, [, value, unit]) => sum + Number(value) * (units[unit ?? ''] ?? NaN),
        0,
      )
      assert.ok(told <= seconds && seconds - told < Math.max(1, seconds / 24 + 3600), `${seconds}: ${age(seconds)}`)
    }),
  )
})

test('times, past, to come, and unreadable', () => {
  const now = Date.parse('2026-03-01T12:00:00Z')
  assert.equal(relative('2026-03-01T11:59:50Z', now), '10 s ago')
  assert.equal(relative('2026-03-01T12:03:00Z', now), 'in 3 min')
  assert.equal(relative('2026-03-01T12:00:01Z', now), '0 s ago')
  assert.equal(relative('soon', now), 'soon')
  assert.equal(clock('2026-03-01T11:59:50Z', now, 'UTC'), '11:59:50')
  assert.equal(clock('2026-02-27T23:30:00Z', now, 'Europe/Berlin'), '2026-02-28 00:30:00')
  assert.equal(clock('', now), '')
})

test('ids, numbers and JSON', () => {
  assert.equal(shortId('0190a3c4-1111-7222-8333-444455556666'), '…55556666')
  assert.equal(shortId('short'), 'short')
  assert.deepEqual([plural(1, 'job'), plural(1200, 'job'), plural(0, 'process', 'processes')], ['1 job', '1,200 jobs', '0 processes'])
  assert.equal(pretty({ a: '<b>' }), '{\n  "a": "<b>"\n}')
  assert.equal(pretty(undefined), '')
  assert.match(pretty('x'.repeat(200_000)), /x\n… and 100,002 characters more/)
})
