import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Endpoints } from './endpoints.ts'

test('adding, replacing and removing', () => {
  const endpoints = new Endpoints('master', false)
  const first = endpoints.add({ url: 'https://example.com/hook', events: ['user.*', 'user.*', 'order.placed'] })
  assert.ok(first.ok && !first.replaced)
  assert.deepEqual(first.endpoint.events, ['user.*', 'order.placed'])
  const again = endpoints.add({ url: 'https://example.com/hook', events: ['user.*'] })
  assert.ok(again.ok && again.replaced && again.endpoint.id === first.endpoint.id)
  const other = endpoints.add({ url: 'https://example.org/', events: ['user.*'], id: 'other' })
  assert.ok(other.ok)
  assert.notEqual(other.endpoint.secret, first.endpoint.secret)
  assert.deepEqual([...endpoints.patterns()], ['user.*'])
  assert.equal(endpoints.askingFor('user.*').length, 2)
  assert.equal(endpoints.remove('other'), true)
  assert.equal(endpoints.remove('other'), false)
  assert.equal(endpoints.askingFor('user.*').length, 1)
})

test('secrets: derived alike in every process, never in the list, own ones checked', () => {
  const one = new Endpoints('master', false).add({ url: 'https://example.com/', events: ['*'] })
  const endpoints = new Endpoints('master', false)
  const two = endpoints.add({ url: 'https://example.com/', events: ['*'] })
  assert.ok(one.ok && two.ok)
  assert.equal(one.endpoint.secret, two.endpoint.secret)
  assert.equal(JSON.stringify(endpoints.list()).includes(two.endpoint.secret), false)
  const own = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const given = endpoints.add({ url: 'https://example.com/own', events: ['*'], secret: own })
  assert.ok(given.ok && given.endpoint.secret === own)
  for (const secret of ['', 'secret', 'whsec_', 'whsec_c2hvcnQ=', own.slice(6)]) {
    const refused = endpoints.add({ url: 'https://example.com/bad', events: ['*'], secret })
    assert.ok(!refused.ok && refused.code === 'invalid_secret', secret)
  }
})

test('private addresses need leave', () => {
  const refused = new Endpoints('master', false).add({ url: 'http://127.0.0.1:9/', events: ['*'] })
  assert.ok(!refused.ok && refused.code === 'endpoint_forbidden')
  assert.equal(new Endpoints('master', true).add({ url: 'http://127.0.0.1:9/', events: ['*'] }).ok, true)
})
