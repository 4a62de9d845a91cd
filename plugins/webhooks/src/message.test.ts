import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { bodyOf, deriveSecret, emittedAt, signedHeaders, webhookId } from './message.ts'

const event = { id: '0190', name: 'user.created', source: 'xcore://plugins/users', time: '2026-03-01T12:00:00.000Z', data: { name: 'Zoë' } }

test('what is signed verifies with the public library, what is changed does not', () => {
  const secret = deriveSecret('master', 'ep_1')
  const body = bodyOf(event)
  const headers = signedHeaders(webhookId(event.id, 'ep_1'), body, secret, new Date())
  assert.deepEqual(new Webhook(secret).verify(body, headers), {
    type: event.name,
    timestamp: event.time,
    source: event.source,
    data: event.data,
  })
  assert.throws(() => new Webhook(secret).verify(body.replace('Zoë', 'Zoe'), headers))
  assert.throws(() => new Webhook(deriveSecret('master', 'ep_2')).verify(body, headers))
  assert.throws(() => new Webhook(secret).verify(body, { ...headers, 'webhook-id': 'msg_other' }))
})

test('the id stays the same over attempts and differs between endpoints', () => {
  assert.equal(webhookId('e', 'a'), webhookId('e', 'a'))
  assert.notEqual(webhookId('e', 'a'), webhookId('e', 'b'))
})

test('an event’s id tells when it was emitted', () => {
  assert.equal(emittedAt('019c1234-5678-7abc-8def-0123456789ab').getTime(), 0x019c12345678)
})
