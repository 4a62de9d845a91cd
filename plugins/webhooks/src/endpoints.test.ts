import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRequest } from './endpoints.ts'

test('an endpoint’s id is made of its URL unless it has one; patterns count once', () => {
  const first = checkRequest({ url: 'https://example.com/hook', events: ['user.*', 'user.*', 'order.placed'] }, false)
  assert.ok(first.ok)
  assert.deepEqual(first.endpoint.events, ['user.*', 'order.placed'])
  const again = checkRequest({ url: 'https://example.com/hook', events: ['user.*'] }, false)
  assert.ok(again.ok && again.endpoint.id === first.endpoint.id)
  const other = checkRequest({ url: 'https://example.org/', events: ['user.*'], id: 'other' }, false)
  assert.ok(other.ok && other.endpoint.id === 'other')
})

test('own secrets and patterns are checked', () => {
  const own = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const given = checkRequest({ url: 'https://example.com/own', events: ['*'], secret: own }, false)
  assert.ok(given.ok && given.endpoint.secret === own)
  for (const secret of ['', 'secret', 'whsec_', 'whsec_c2hvcnQ=', own.slice(6)]) {
    const refused = checkRequest({ url: 'https://example.com/bad', events: ['*'], secret }, false)
    assert.ok(!refused.ok && refused.code === 'invalid_secret', secret)
  }
  const refused = checkRequest({ url: 'https://example.com/', events: ['user.[a'] }, false)
  assert.ok(!refused.ok && refused.code === 'invalid_pattern')
})

test('private addresses need leave', () => {
  const refused = checkRequest({ url: 'http://127.0.0.1:9/', events: ['*'] }, false)
  assert.ok(!refused.ok && refused.code === 'endpoint_forbidden')
  assert.equal(checkRequest({ url: 'http://127.0.0.1:9/', events: ['*'] }, true).ok, true)
})
