import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sign as officialSign, verify } from '@octokit/webhooks-methods'
import examples from '@octokit/webhooks-examples/api.github.com/index.json' with { type: 'json' }
import { readDelivery } from './delivery.ts'
import { isSigned, sign } from './signature.ts'

test("signatures are GitHub's own: its documented example, and its library both ways", async () => {
  const documented = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
  assert.equal(sign("It's a Secret to Everybody", Buffer.from('Hello, World!')), documented)
  const body = '{"zen":"Ünïcode"}'
  assert.equal(await officialSign('secret', body), sign('secret', Buffer.from(body)))
  assert.equal(await verify('secret', body, sign('secret', Buffer.from(body))), true)
})

test('another secret, another body, another length or no signature is refused', () => {
  const body = Buffer.from('{}')
  assert.equal(isSigned('secret', body, sign('secret', body)), true)
  for (const header of ['', 'sha256=', sign('other', body), sign('secret', Buffer.from('{ }')), `${sign('secret', body)}0`, 'sha1=abc']) {
    assert.equal(isSigned('secret', body, header), false, header)
  }
})

test('every real payload is read', () => {
  let count = 0
  for (const { name, examples: payloads } of examples) {
    for (const payload of payloads) {
      const reading = readDelivery(name, '72d3162e-cc78-11e3-81ab-4c9367dc0958', payload)
      assert.ok(reading.ok)
      const action = 'action' in payload ? `.${payload.action}` : ''
      assert.equal(reading.delivery.name, `github.${name}${action}`)
      count += 1
    }
  }
  assert.ok(count > 300)
})

test('free text as action is left out of the name; bad headers and bodies are refused in words', () => {
  const named = readDelivery('repository_dispatch', 'id', { action: 'deploy to *' })
  assert.ok(named.ok && named.delivery.name === 'github.repository_dispatch' && named.delivery.action === null)
  for (const [event, id, body, words] of [
    ['', 'id', {}, /X-GitHub-Event, found nothing/],
    ['push.*', 'id', {}, /X-GitHub-Event/],
    ['push', '', {}, /X-GitHub-Delivery, found nothing/],
    ['push', 'a b', {}, /X-GitHub-Delivery/],
    ['push', 'id', 'payload=%7B%7D', /application\/json/],
    ['push', 'id', [], /JSON object/],
    ['push', 'id', undefined, /JSON object/],
  ] as const) {
    const reading = readDelivery(event, id, body)
    assert.ok(!reading.ok)
    assert.match(reading.message, words)
  }
})
