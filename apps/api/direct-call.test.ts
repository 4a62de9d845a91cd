import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startApi } from './testing/start-api.ts'
import type { StartedApi } from './testing/start-api.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const REFUSED = { state: 'failed', error: { code: 'no_stock', message: 'none', statusCode: 409 } } as const

/** Everything that a caller can see, but for ids and times. */
async function seen(api: StartedApi, path: string, init: RequestInit): Promise<unknown> {
  const response = await api.request(path, init)
  const headers = [...response.headers].filter(([name]) => name !== 'date').map(([name, value]) => [name, value.replaceAll(UUID, 'ID')])
  return [response.status, Object.fromEntries(headers), (await response.text()).replaceAll(UUID, 'ID')]
}

const CASES: readonly (readonly [what: string, path: string, init: RequestInit])[] = [
  ['accepted', '/ipc/demo/ping', { headers: JSON_TYPE, body: '{"payload":{"a":"é"}}' }],
  ['no body', '/ipc/demo/ping', {}],
  ['an outcome that is waited for', '/ipc/demo/order', { headers: { ...JSON_TYPE, prefer: 'wait=5' }, body: '{}' }],
  ['a wait of no time', '/ipc/demo/ping', { headers: { ...JSON_TYPE, prefer: 'wait=0' }, body: '{}' }],
  ['a key of a call', '/ipc/demo/ping', { headers: { ...JSON_TYPE, 'idempotency-key': 'k' }, body: '{"payload":{}}' }],
  ['the same key again', '/ipc/demo/ping', { headers: { ...JSON_TYPE, 'idempotency-key': 'k' }, body: '{"payload":{}}' }],
  ['a bad key', '/ipc/demo/ping', { headers: { ...JSON_TYPE, 'idempotency-key': 'a b' }, body: '{}' }],
  ['not JSON', '/ipc/demo/ping', { headers: JSON_TYPE, body: '{' }],
  ['another type', '/ipc/demo/ping', { headers: { 'content-type': 'text/html' }, body: '{}' }],
  ['too large', '/ipc/demo/ping', { headers: JSON_TYPE, body: `"${'x'.repeat(300_000)}"` }],
  ['unknown member', '/ipc/demo/ping', { headers: JSON_TYPE, body: '{"paylod":{}}' }],
  ['unknown plugin', '/ipc/nobody/ping', { headers: JSON_TYPE, body: '{}' }],
  ['does not fit', '/ipc/demo/strict', { headers: JSON_TYPE, body: '{}' }],
  ['another site', '/ipc/demo/ping', { headers: { ...JSON_TYPE, 'sec-fetch-site': 'cross-site' }, body: '{}' }],
]

test('a direct call is answered word for word as one that goes through Koa', async () => {
  await using direct = await startApi()
  await using koa = await startApi()
  for (const { engine } of [direct, koa]) engine.endings.set('order', REFUSED)
  for (const [what, path, init] of CASES) {
    const post = { method: 'POST', ...init }
    assert.deepEqual(await seen(direct, path, post), await seen(koa, `${path}?koa`, post), what)
  }
  assert.deepEqual(direct.engine.submitted, koa.engine.submitted)
  assert.deepEqual(direct.observed, koa.observed)
})

test('so it is with keys, and when something breaks inside', async () => {
  const auth = { keys: [{ name: 'reader', scopes: ['read'], key: 'r' } as const] }
  for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: 'Bearer r' }]) {
    await using direct = await startApi({ auth })
    await using koa = await startApi({ auth })
    const call = { method: 'POST', headers }
    assert.deepEqual(await seen(direct, '/ipc/demo/ping', call), await seen(koa, '/ipc/demo/ping?koa', call))
  }
  await using broken = await startApi()
  broken.engine.fault = new Error('secret')
  const call = { method: 'POST' }
  const answer = await seen(broken, '/ipc/demo/ping', call)
  assert.deepEqual(answer, await seen(broken, '/ipc/demo/ping?koa', call))
  assert.doesNotMatch(JSON.stringify(answer), /secret/)
})

test('other methods on the path of a call are told which one to use', async () => {
  await using api = await startApi()
  const answer = await api.request('/ipc/demo/ping')
  assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST'])
})
