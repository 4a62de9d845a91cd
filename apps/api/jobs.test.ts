import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonOf, startApi, type StartedApi } from './testing/start-api.ts'

async function submitted(api: StartedApi): Promise<string> {
  return String((await jsonOf(await api.post('/ipc/demo/ping', { payload: { a: 1 } })))['job_id'])
}

test('a job is shown with exactly the members of the contract', async () => {
  await using api = await startApi()
  const id = await submitted(api)
  const response = await api.request(`/jobs/${id.toUpperCase()}`)
  assert.equal(response.status, 200)
  const job = await jsonOf(response)
  assert.deepEqual(Object.keys(job), [
    'job_id',
    'kind',
    'plugin',
    'name',
    'state',
    'priority',
    'attempt',
    'max_attempts',
    'payload',
    'result',
    'error',
    'error_fingerprint',
    'requested_at',
    'run_at',
    'started_at',
    'finished_at',
    'correlation_id',
    'causation_id',
    'replay_of',
    'root',
    'replay_id',
    'idempotency_key',
    'plugin_version',
  ])
  assert.match(String(job['requested_at']), /^\d{4}-\d\d-\d\dT.*Z$/)
  assert.deepEqual((await jsonOf(await api.request('/jobs')))['next_cursor'], null)
})

test('the filter of the list is the query', async () => {
  await using api = await startApi({ now: () => new Date('2026-03-01T12:00:00Z') })
  const response = await api.request('/jobs?plugin=demo&state=failed,dead&since=2h&limit=5')
  assert.equal(response.status, 200)
  assert.deepEqual(api.engine.filters, [{ plugin: 'demo', states: ['failed', 'dead'], since: new Date('2026-03-01T10:00:00Z'), limit: 5 }])
  const bad = await api.request('/jobs?stat=dead')
  assert.equal(bad.status, 400)
  assert.match(await bad.text(), /stat/)
})

test('what does not exist is a 404 problem', async () => {
  await using api = await startApi()
  const missing = '0198c0de-0000-7000-8000-000000000001'
  for (const path of [`/jobs/${missing}`, '/jobs/1', '/jobs/..%2f', `/jobs/${missing}/events`, '/nothing', '/']) {
    const response = await api.request(path)
    assert.equal(response.status, 404, path)
    assert.equal((await jsonOf(response))['code'], 'not_found', path)
  }
  assert.equal((await api.post(`/jobs/${missing}/cancel`, {})).status, 404)
  assert.ok(api.observed.some((labels) => labels.route === '_other' && labels.status === '404'))
})

test('a history has no stacks', async () => {
  await using api = await startApi()
  const text = await (await api.request(`/jobs/${await submitted(api)}/events`)).text()
  assert.match(text, /"type":"job.dead"/)
  assert.match(text, /boom/)
  assert.doesNotMatch(text, /secret|stack/)
})

test('a job is cancelled once; a finished one not', async () => {
  await using api = await startApi()
  const id = await submitted(api)
  const first = await api.request(`/jobs/${id}/cancel`, { method: 'POST' })
  assert.equal(first.status, 200)
  assert.equal((await jsonOf(first))['state'], 'cancelled')
  assert.equal((await api.post(`/jobs/${id}/cancel`, { reason: 'again' })).status, 200)
  assert.equal((await api.post(`/jobs/${id}/cancel`, { why: 'typo' })).status, 400)

  api.engine.endings.set('ping', { result: { status: 'ok' } })
  const done = await jsonOf(await api.post('/ipc/demo/ping', {}, { prefer: 'wait=5' }))
  const refused = await api.post(`/jobs/${done['job_id']}/cancel`, {})
  assert.equal(refused.status, 409)
  assert.equal((await jsonOf(refused))['code'], 'job_finished')
})
