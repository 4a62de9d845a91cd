import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonOf, startApi, type StartedApi } from './testing/start-api.ts'

const EVENT = { specversion: '1.0', id: 'a-1', source: '/shop', type: 'order.placed', time: '2026-03-01T12:00:00Z', data: { n: 1 } }
const STRUCTURED = 'application/cloudevents+json'
const BATCH = 'application/cloudevents-batch+json'

function send(api: StartedApi, type: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return api.request('/events', { method: 'POST', headers: { 'content-type': type, ...headers }, body: JSON.stringify(body) })
}

test('structured mode', async () => {
  await using api = await startApi()
  for (const type of [STRUCTURED, `${STRUCTURED}; charset=utf-8`, 'application/json']) {
    const response = await send(api, type, { ...EVENT, id: type, subject: 's', extension: 'x', dataschema: 'https://example.com/s' })
    assert.equal(response.status, 202, type)
    const body = await jsonOf(response)
    assert.deepEqual(Object.keys(body), ['event_id', 'jobs'])
    assert.equal(Array.isArray(body['jobs']), true)
  }
  assert.deepEqual(api.engine.emitted[0], {
    name: 'order.placed',
    data: { n: 1 },
    source: '/shop',
    externalId: STRUCTURED,
    time: new Date('2026-03-01T12:00:00Z'),
  })
})

test('binary mode: attributes in headers, any data', async () => {
  await using api = await startApi()
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': '1',
    'ce-source': '/a',
    'ce-type': 'caf%C3%A9.open',
    'ce-time': '2026-03-01T12:00:00.5Z',
  }
  const cases: readonly [Record<string, string>, string | undefined, unknown][] = [
    [{ 'content-type': 'application/json' }, '{"n":1}', { n: 1 }],
    [{ 'content-type': 'text/plain' }, 'hello', 'hello'],
    [{ 'content-type': 'application/octet-stream' }, 'bytes', { data_base64: 'Ynl0ZXM=', datacontenttype: 'application/octet-stream' }],
    [{}, undefined, null],
  ]
  for (const [extra, body, data] of cases) {
    const response = await api.request('/events', {
      method: 'POST',
      headers: { ...headers, ...extra },
      ...(body !== undefined && { body }),
    })
    assert.equal(response.status, 202, await response.text())
    assert.deepEqual(api.engine.emitted.at(-1)?.data, data)
  }
  assert.equal(api.engine.emitted[0]?.name, 'café.open')
  assert.equal(api.engine.emitted[0]?.time?.toISOString(), '2026-03-01T12:00:00.500Z')
})

test('a batch is answered with a list', async () => {
  await using api = await startApi()
  const response = await send(api, BATCH, [EVENT, { ...EVENT, id: 'a-2' }], { 'idempotency-key': 'k' })
  assert.equal(response.status, 202)
  const body: unknown = await response.json()
  assert.ok(Array.isArray(body))
  assert.deepEqual(
    body.map((item) => Object.keys(item)),
    [
      ['event_id', 'jobs'],
      ['event_id', 'jobs'],
    ],
  )
  assert.deepEqual(
    api.engine.emitted.map((event) => event.idempotencyKey),
    ['k/0', 'k/1'],
  )
  assert.deepEqual(await (await send(api, BATCH, [])).json(), [])
})

test('the same source and id again is the first event', async () => {
  await using api = await startApi()
  const first = await send(api, STRUCTURED, EVENT)
  const again = await send(api, STRUCTURED, EVENT)
  assert.equal(first.headers.get('idempotent-replayed'), null)
  assert.equal(again.headers.get('idempotent-replayed'), 'true')
  assert.deepEqual(await again.json(), await first.json())
})

test('the trace of the event is the request’s, else the event’s own', async () => {
  await using api = await startApi()
  const own = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const outer = own.replace('4bf9', '5bf9')
  await send(api, STRUCTURED, { ...EVENT, traceparent: own }, { traceparent: outer })
  await send(api, STRUCTURED, { ...EVENT, traceparent: own })
  await send(api, STRUCTURED, { ...EVENT, traceparent: 'bad' })
  assert.deepEqual(
    api.engine.emitted.map((event) => event.traceparent),
    [outer, own, undefined],
  )
})

test('what is not a CloudEvent is refused, and where', async () => {
  await using api = await startApi()
  const { id: _id, ...noId } = EVENT
  const cases: readonly [string, unknown, RegExp][] = [
    ['application/json', { name: 'x', data: {} }, /not a CloudEvent/],
    ['application/json', [EVENT], /not a CloudEvent/],
    ['text/plain', EVENT, /not a CloudEvent/],
    ['application/cloudevents+avro', EVENT, /not supported/],
    [STRUCTURED, [EVENT], /expected a JSON object/],
    [STRUCTURED, 5, /expected a JSON object/],
    [STRUCTURED, null, /expected a JSON object/],
    [BATCH, EVENT, /array/],
    [BATCH, [EVENT, { ...EVENT, type: '' }], /\/1.*"type"/],
    [STRUCTURED, { ...EVENT, specversion: '0.3' }, /specversion/],
    [STRUCTURED, { ...EVENT, specversion: undefined }, /specversion/],
    [STRUCTURED, noId, /"id"/],
    [STRUCTURED, { ...EVENT, id: 5 }, /"id"/],
    [STRUCTURED, { ...EVENT, source: 'not a uri {' }, /source/],
    [STRUCTURED, { ...EVENT, source: 'xcore://plugins/users' }, /kept for/],
    [STRUCTURED, { ...EVENT, time: 'yesterday' }, /time/],
    [STRUCTURED, { ...EVENT, time: 5 }, /time/],
    [STRUCTURED, { ...EVENT, Bad_Name: 'x' }, /Bad_Name/],
    [STRUCTURED, { ...EVENT, data_base64: 'AA==' }, /exclude/],
    [STRUCTURED, { ...EVENT, type: 'x'.repeat(501) }, /"type"/],
    [STRUCTURED, { ...EVENT, type: 'a\nb' }, /"type"/],
  ]
  for (const [type, body, expected] of cases) {
    const response = await send(api, type, body)
    const answer = await jsonOf(response)
    assert.equal(response.status, 400, JSON.stringify(body))
    assert.equal(answer['code'], 'bad_request')
    assert.match(String(answer['detail']), expected)
  }
  assert.equal(
    (await jsonOf(await api.request('/events', { method: 'POST', headers: { 'content-type': STRUCTURED }, body: '{' })))['code'],
    'invalid_json',
  )
  assert.equal((await api.request('/events', { method: 'POST' })).status, 400)
  const binary = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/a', 'ce-type': 'a%00b' }
  assert.equal((await api.request('/events', { method: 'POST', headers: binary })).status, 400)
  assert.equal((await api.request('/events', { method: 'POST', headers: { ...binary, 'ce-type': '%zz' } })).status, 400)
  assert.equal((await api.request('/events', { method: 'POST', headers: { 'ce-id': '1' } })).status, 400)
  assert.equal(api.engine.emitted.length, 0)
})
