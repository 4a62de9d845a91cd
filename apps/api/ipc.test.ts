import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonOf, startApi } from './testing/start-api.ts'

test('a call is answered with 202, the job and where to find it', async () => {
  await using api = await startApi()
  const response = await api.post('/ipc/demo/ping', { payload: { a: 1 }, priority: 80, delay_seconds: 2 })
  assert.equal(response.status, 202)
  const body = await jsonOf(response)
  assert.deepEqual(Object.keys(body), ['job_id', 'status', 'plugin', 'action'])
  assert.equal(body['status'], 'queued')
  assert.equal(response.headers.get('location'), `/jobs/${body['job_id']}`)
  const asked = api.engine.submitted[0]
  assert.deepEqual(asked, { plugin: 'demo', action: 'ping', payload: { a: 1 }, source: 'http', awaited: false, priority: 80, delaySeconds: 2 })
  const job = await jsonOf(await api.request(`/jobs/${body['job_id']}`))
  assert.equal(job['job_id'], body['job_id'])
  assert.equal(job['plugin_version'], '1.0.0')
  assert.deepEqual(api.observed[0], { method: 'POST', route: '/ipc/:plugin/:action', status: '202' })
})

test('no body is an empty payload', async () => {
  await using api = await startApi()
  const response = await api.request('/ipc/demo/ping', { method: 'POST' })
  assert.equal(response.status, 202)
  assert.deepEqual(api.engine.submitted[0]?.payload, {})
})

test('livez answers without anything else', async () => {
  await using api = await startApi()
  assert.equal((await api.request('/livez')).status, 200)
})
