import assert from 'node:assert/strict'
import { test } from 'node:test'
import { XCoreError } from '../../libs/errors/index.ts'
import { jsonOf, startApi } from './testing/start-api.ts'
import type { Ending } from './testing/memory-engine.ts'

test('a call is answered with 202, the job and where to find it', async () => {
  await using api = await startApi()
  const response = await api.post('/ipc/demo/ping', { payload: { a: 1 }, priority: 80, delay_seconds: 2 })
  assert.equal(response.status, 202)
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
  const body = await jsonOf(response)
  const id = body['job_id']
  assert.deepEqual(body, { job_id: id, status: 'queued', plugin: 'demo', action: 'ping' })
  assert.equal(response.headers.get('location'), `/jobs/${id}`)
  assert.equal(response.headers.get('preference-applied'), null)
  assert.deepEqual(api.engine.submitted, [
    { plugin: 'demo', action: 'ping', payload: { a: 1 }, source: 'http', awaited: false, priority: 80, delaySeconds: 2 },
  ])
  assert.deepEqual(api.observed, [{ method: 'POST', route: '/ipc/:plugin/:action', status: '202' }])
  assert.ok(api.log.some((line) => line['correlation_id'] === id && line['status'] === 202))
})

test('no body, an empty object or no payload are an empty payload', async () => {
  await using api = await startApi()
  assert.equal((await api.request('/ipc/demo/ping', { method: 'POST' })).status, 202)
  assert.equal((await api.post('/ipc/demo/ping', {})).status, 202)
  assert.deepEqual(
    api.engine.submitted.map((request) => request.payload),
    [{}, {}],
  )
})

test('names in the path are decoded; impossible ones are not found', async () => {
  await using api = await startApi()
  assert.equal((await api.post('/ipc/demo/do%20it%C3%A9', {})).status, 202)
  assert.equal(api.engine.submitted[0]?.action, 'do ité')
  const cases: readonly [string, number, string][] = [
    ['/ipc/demo/a%00b', 404, 'unknown_action'],
    [`/ipc/demo/${'a'.repeat(201)}`, 404, 'unknown_action'],
    ['/ipc/__proto__/x', 404, 'not_found'],
    ['/ipc/DEMO/x', 404, 'not_found'],
    ['/ipc/nobody/x', 404, 'not_found'],
    ['/ipc/demo', 404, 'not_found'],
    ['/ipc/demo/a/b', 404, 'not_found'],
    ['/IPC/demo/a', 404, 'not_found'],
  ]
  for (const [path, status, code] of cases) {
    const response = await api.post(path, {})
    assert.equal(response.status, status, path)
    assert.equal((await jsonOf(response))['code'], code, path)
  }
})

test('members of the body are checked, by name', async () => {
  await using api = await startApi()
  const cases: readonly [unknown, string][] = [
    [[], 'object'],
    [null, 'object'],
    ['x', 'object'],
    [{ payload: [] }, 'payload'],
    [{ payload: 'x' }, 'payload'],
    [{ payload: {}, priorty: 1 }, 'priorty'],
    [{ toString: 1 }, 'toString'],
    [{ priority: -1 }, 'priority'],
    [{ priority: 101 }, 'priority'],
    [{ priority: 1.5 }, 'priority'],
    [{ priority: '5' }, 'priority'],
    [{ priority: null }, 'priority'],
    [{ delay_seconds: -1 }, 'delay_seconds'],
    [{ delay_seconds: 367 * 86_400 }, 'delay_seconds'],
    [{ delay_seconds: '1' }, 'delay_seconds'],
  ]
  for (const [body, named] of cases) {
    const response = await api.post('/ipc/demo/ping', body)
    const answer = await jsonOf(response)
    assert.equal(response.status, 400, JSON.stringify(body))
    assert.equal(answer['code'], 'bad_request')
    assert.match(String(answer['detail']), new RegExp(named), JSON.stringify(body))
  }
  assert.equal(api.engine.submitted.length, 0)
})

test('errors of the engine are problems with their code', async () => {
  await using api = await startApi()
  const response = await api.post('/ipc/demo/strict', {})
  assert.equal(response.status, 422)
  assert.equal(response.headers.get('content-type'), 'application/problem+json')
  const body = await jsonOf(response)
  assert.deepEqual(body['errors'], [{ path: '/amount', message: 'expected a number' }])
  assert.deepEqual(Object.keys(body), ['type', 'title', 'status', 'code', 'detail', 'errors'])

  api.engine.fault = new XCoreError('not_ready', 'The plugin is starting.', { retryAfterSeconds: 1.2 })
  const notReady = await api.post('/ipc/demo/ping', {})
  assert.equal(notReady.status, 503)
  assert.equal(notReady.headers.get('retry-after'), '2')
})

test('a fault inside reveals nothing but the id under which it is logged', async () => {
  await using api = await startApi()
  for (const fault of [
    new Error('secret cause'),
    new XCoreError('migration_failed', 'secret cause'),
    new XCoreError('internal_error', 'secret cause'),
  ]) {
    api.engine.fault = fault
    const response = await api.post('/ipc/demo/ping', {})
    assert.equal(response.status, 500)
    const text = await response.text()
    assert.doesNotMatch(text, /secret|stack/)
    const body: Record<string, unknown> = JSON.parse(text)
    assert.equal(body['code'], 'internal_error')
    const line = api.log.find((entry) => entry['correlation_id'] === body['correlation_id'] && entry['msg'] === 'request failed')
    assert.match(JSON.stringify(line), /secret cause/)
  }
  api.engine.fault = new XCoreError('database_unavailable', 'connect ECONNREFUSED 10.0.0.7')
  const away = await api.post('/ipc/demo/ping', {})
  assert.equal(away.status, 503)
  assert.doesNotMatch(await away.text(), /10\.0\.0\.7/)
})

test('Prefer: wait answers the outcome with its status', async () => {
  await using api = await startApi()
  const error = { code: 'out_of_stock', message: 'none left' }
  const cases: readonly [Ending, number][] = [
    [{ result: { status: 'ok', n: 1 } }, 200],
    [{ state: 'failed', error }, 400],
    [{ state: 'failed', error: { ...error, statusCode: 409 } }, 409],
    [{ state: 'failed', error: { ...error, statusCode: 200 } }, 400],
    [{ state: 'failed', error: { ...error, code: 'validation_error' } }, 422],
    [{ state: 'failed', error: { ...error, code: 'not_found' } }, 404],
    [{ state: 'failed', error: { ...error, code: 'toString' } }, 400],
    [{ state: 'failed', error: { ...error, code: 'unknown_action' } }, 404],
    [{ state: 'failed', error: { ...error, code: 'permission_denied' } }, 403],
    [{ state: 'dead', error: { code: 'timeout', message: 'too slow' } }, 504],
    [{ state: 'dead', error: { code: 'handler_error', message: 'boom', stack: 'at /secret' } }, 500],
    [{ state: 'dead', error: { code: 'memory_exceeded', message: 'big' } }, 500],
    [{ state: 'cancelled', error: null }, 409],
  ]
  for (const [ending, status] of cases) {
    api.engine.endings.set('ping', ending)
    const response = await api.post('/ipc/demo/ping', {}, { prefer: 'wait=5' })
    const text = await response.text()
    assert.equal(response.status, status, text)
    assert.equal(response.headers.get('preference-applied'), 'wait=5')
    assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
    assert.doesNotMatch(text, /secret/)
    const body: Record<string, unknown> = JSON.parse(text)
    assert.deepEqual(Object.keys(body), ['status', 'plugin', 'action', 'job_id', 'result'])
    assert.equal(body['status'], status === 200 ? 'ok' : 'error')
  }
  assert.equal(api.engine.submitted[0]?.awaited, true)
})

test('an error result keeps the form that error() of the SDK gives it', async () => {
  await using api = await startApi()
  api.engine.endings.set('ping', {
    state: 'failed',
    error: { code: 'taken', message: 'name is taken', statusCode: 409, details: { name: 'x' } },
  })
  const body = await jsonOf(await api.post('/ipc/demo/ping', {}, { prefer: 'wait=5' }))
  assert.deepEqual(body['result'], { status: 'error', msg: 'name is taken', code: 'taken', status_code: 409, details: { name: 'x' } })
})

test('a wait that runs out is the 202 of the job', async () => {
  await using api = await startApi()
  const response = await api.post('/ipc/demo/slow', {}, { prefer: 'wait=1' })
  assert.equal(response.status, 202)
  assert.equal(response.headers.get('preference-applied'), 'wait=1')
  assert.match(response.headers.get('location') ?? '', /^\/jobs\//)
  const zero = await api.post('/ipc/demo/slow', {}, { prefer: 'wait=0' })
  assert.equal(zero.status, 202)
})

test('a caller who hangs up ends the wait, not the job', async () => {
  await using api = await startApi()
  const waiting = Promise.withResolvers<void>()
  api.engine.onWait = () => waiting.resolve()
  const caller = new AbortController()
  const call = fetch(`${api.url}/ipc/demo/slow`, { method: 'POST', headers: { prefer: 'wait=60' }, signal: caller.signal })
  await waiting.promise
  caller.abort()
  await assert.rejects(call)
  assert.equal([...api.engine.jobs.values()][0]?.state, 'queued')
})

test('Idempotency-Key: the same call again is the first job, another body is refused', async () => {
  await using api = await startApi()
  const headers = { 'idempotency-key': 'order-17' }
  const first = await api.post('/ipc/demo/ping', { payload: { n: 1 } }, headers)
  const again = await api.post('/ipc/demo/ping', { payload: { n: 1 } }, headers)
  assert.equal(first.headers.get('idempotent-replayed'), null)
  assert.equal(again.headers.get('idempotent-replayed'), 'true')
  assert.deepEqual(await jsonOf(again), await jsonOf(first))
  const other = await api.post('/ipc/demo/ping', { payload: { n: 2 } }, headers)
  assert.equal(other.status, 422)
  assert.equal((await jsonOf(other))['code'], 'idempotency_mismatch')
  assert.equal((await api.post('/ipc/demo/ping', {}, { 'idempotency-key': 'a b' })).status, 400)
})

test('a good traceparent travels along, a bad one is dropped', async () => {
  await using api = await startApi()
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  await api.post('/ipc/demo/ping', {}, { traceparent })
  await api.post('/ipc/demo/ping', {}, { traceparent: 'nonsense' })
  assert.deepEqual(
    api.engine.submitted.map((request) => request.traceparent),
    [traceparent, undefined],
  )
})

test('other methods are refused with what is allowed', async () => {
  await using api = await startApi()
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
    const response = await api.request('/ipc/demo/ping', { method })
    assert.equal(response.status, 405, method)
    assert.equal(response.headers.get('allow'), 'POST')
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
  }
  const options = await api.request('/ipc/demo/ping', { method: 'OPTIONS' })
  assert.equal(options.status, 204)
  assert.equal(options.headers.get('allow'), 'POST')
})
