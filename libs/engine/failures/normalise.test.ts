import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { errorFingerprint, normaliseMessage } from './normalise.ts'

describe('a normalised message', () => {
  test('keeps the words and loses what differs from one failure to the next', () => {
    const cases: [message: string, normalised: string][] = [
      ['connect ECONNREFUSED 10.0.0.7:5432', 'connect ECONNREFUSED <address>'],
      ['connect ECONNREFUSED ::1:5432', 'connect ECONNREFUSED <address>'],
      ['getaddrinfo ENOTFOUND db.internal.example:5432', 'getaddrinfo ENOTFOUND <address>'],
      ['order ord_12345 not found', 'order ord_<n> not found'],
      ['user 42 has -3.50 left, needs 1,000', 'user <n> has <n> left, needs <n>'],
      ['GET https://api.example.com/v1/users/7?x=1 answered 503', 'GET <url> answered <n>'],
      ['job 0198c0de-0000-7000-8000-000000000001 is gone', 'job <id> is gone'],
      ['commit deadbeef01 and token a1b2c3d4e5', 'commit deadbeef<n> and token <id>'],
      ['no user ada@example.com since 2026-03-01T10:00:00.123Z', 'no user <email> since <time>'],
      [`Cannot read properties of undefined (reading 'name')`, 'Cannot read properties of undefined (reading <text>)'],
      ['expected "ok" but got `no`', 'expected <text> but got <text>'],
      ["it can't be, it won't", "it can't be, it won't"],
      ['timeout  after\n 30s', 'timeout after <n>s'],
      ['at address 0xFFee', 'at address <id>'],
      ['', ''],
    ]
    for (const [message, normalised] of cases) assert.equal(normaliseMessage(message), normalised)
  })

  test('does not depend on the ids, numbers and addresses in it', () => {
    const parts = fc.tuple(fc.uuid(), fc.nat(), fc.ipV4(), fc.double({ noNaN: true, min: 0, max: 1e6 }))
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const message = ([id, n, ip, x]: typeof a) => `job ${id}: row ${n} of ${ip} is ${x.toFixed(2)} (order_${n})`
        assert.equal(normaliseMessage(message(a)), normaliseMessage(message(b)))
      }),
    )
  })

  test('holds no digits, is short, and normalises to itself', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 4_000, unit: 'binary' }), (message) => {
        const normalised = normaliseMessage(message)
        assert.doesNotMatch(normalised, /[0-9]/)
        assert.ok(normalised.length <= 300)
      }),
    )
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9 '"@.:_/-]{0,80}$/), (message) => {
        const once = normaliseMessage(message)
        assert.doesNotMatch(once, /[0-9]/)
      }),
    )
  })

  test('takes linear time on hostile text', () => {
    for (const unit of ['a', '1', '-', '_', ':', '"', "'", 'a@', 'a.', 'a-', '0:', '<']) {
      const started = performance.now()
      normaliseMessage(unit.repeat(100_000))
      assert.ok(performance.now() - started < 200, unit)
    }
  })
})

test('a fingerprint tells plugin, name, code and kind of message apart', () => {
  const failure = { plugin: 'shop', name: 'order', code: 'timeout', message: 'no answer from 10.0.0.1 after 30 s' }
  const fingerprint = errorFingerprint(failure)
  assert.match(fingerprint, /^[0-9a-f]{16}$/)
  assert.equal(errorFingerprint({ ...failure, message: 'no answer from 10.9.9.9 after 5 s' }), fingerprint)
  for (const other of [{ plugin: 'mail' }, { name: 'pay' }, { code: 'busy' }, { message: 'no answer' }]) {
    assert.notEqual(errorFingerprint({ ...failure, ...other }), fingerprint)
  }
})
