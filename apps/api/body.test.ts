import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { mediaTypeOf } from './body.ts'
import { jsonOf, startApi, type StartedApi } from './testing/start-api.ts'

const LIMIT = 4096

/** Sends bytes as they are and reads until the server closes. */
function raw(api: StartedApi, bytes: string): Promise<string> {
  const socket = connect(api.port, '127.0.0.1', () => socket.write(bytes))
  return text(socket)
}

async function refusal(api: StartedApi, init: RequestInit): Promise<[number, unknown]> {
  const response = await api.request('/ipc/demo/ping', { method: 'POST', ...init })
  assert.equal(response.headers.get('content-type'), 'application/problem+json')
  return [response.status, (await jsonOf(response))['code']]
}

const JSON_TYPE = { 'content-type': 'application/json' }

test('bad JSON is invalid_json', async () => {
  await using api = await startApi()
  const bodies: readonly (string | Uint8Array<ArrayBuffer>)[] = [
    '{',
    'nonsense',
    '{"payload":{"a":"\\u0000"}}',
    '{"payload":{"__proto__":{"x":1}}}',
    '{"payload":{"constructor":{"prototype":{}}}}',
    `{"payload":${'{"a":'.repeat(64)}1${'}'.repeat(64)}}`,
    '{"payload":{"a":"\\ud800"}}',
    '{"payload":{"a":1e999}}',
    Uint8Array.from([0x22, 0xff, 0x22]),
    '\ufeff{}',
    '{"payload":{"a":NaN}}',
    ' ',
  ]
  for (const body of bodies) assert.deepEqual(await refusal(api, { headers: JSON_TYPE, body }), [400, 'invalid_json'], String(body))
  assert.equal(api.engine.submitted.length, 0)
})

test('media types, charsets and encodings', async () => {
  await using api = await startApi()
  const accepted = ['application/json; charset=utf-8', 'application/json;charset="UTF-8"', 'APPLICATION/JSON', 'application/vnd.x+json']
  for (const type of accepted) {
    const response = await api.request('/ipc/demo/ping', { method: 'POST', headers: { 'content-type': type }, body: '{"payload":{"é":1}}' })
    assert.equal(response.status, 202, type)
  }
  assert.deepEqual(api.engine.submitted[0]?.payload, { é: 1 })
  for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
    const asked = { method: 'POST', body: '{"payload":{}}' }
    assert.equal((await api.request('/ipc/demo/ping', { ...asked, headers: { 'content-type': type } })).status, 202, type)
    const page = { ...asked, headers: { 'content-type': type, origin: 'http://evil.example' } }
    assert.equal((await api.request('/ipc/demo/ping', page)).status, 400, `${type} from a page`)
  }
  const refused = ['multipart/form-data; boundary=x', 'application/json; charset=latin1', 'application/xml']
  for (const type of refused)
    assert.deepEqual(await refusal(api, { headers: { 'content-type': type }, body: '{}' }), [400, 'bad_request'], type)
  const zipped = { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: gzipSync('{}') }
  assert.deepEqual(await refusal(api, zipped), [400, 'bad_request'])
})

test('media type parameters', () => {
  assert.deepEqual(mediaTypeOf('Application/JSON ; a=b; Charset="UTF-8"'), { type: 'application/json', charset: 'utf-8' })
  assert.deepEqual(mediaTypeOf(undefined), { type: '', charset: '' })
  assert.deepEqual(mediaTypeOf(';'), { type: '', charset: '' })
})

test('a body over the limit is refused, announced or chunked, and the connection goes on', async () => {
  await using api = await startApi()
  const exact = `{"payload":{"a":"${'x'.repeat(LIMIT - 20)}"}}`
  assert.equal(Buffer.byteLength(exact), LIMIT)
  assert.equal((await api.request('/ipc/demo/ping', { method: 'POST', headers: JSON_TYPE, body: exact })).status, 202)
  assert.deepEqual(await refusal(api, { headers: JSON_TYPE, body: exact + ' ' }), [413, 'payload_too_large'])
  assert.deepEqual(await refusal(api, { headers: JSON_TYPE, body: 'x'.repeat(5_000_000) }), [413, 'payload_too_large'])
  const chunks = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let i = 0; i < 64; i++) controller.enqueue(Buffer.alloc(1024, 'x'))
      controller.close()
    },
  })
  assert.deepEqual(await refusal(api, { headers: JSON_TYPE, body: chunks, duplex: 'half' }), [413, 'payload_too_large'])
})

test('a client that asks before it sends too much is told at once', async () => {
  await using api = await startApi()
  const head = `POST /ipc/demo/ping HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n`
  const refused = await raw(api, `${head}Content-Length: 1000000\r\n\r\n`)
  assert.match(refused, /^HTTP\/1.1 413 /)
  const taken = await raw(api, `${head}Content-Length: 2\r\nConnection: close\r\n\r\n{}`)
  assert.match(taken, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 202 /)
})

test('a Content-Length that lies', async () => {
  await using api = await startApi()
  const head = 'POST /ipc/demo/ping HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
  // Too short: the rest is not a request.
  assert.match(await raw(api, `${head}Content-Length: 2\r\n\r\n{}garbage\r\n\r\n`), /HTTP\/1.1 400 [^]*"code":"bad_request"/)
  // Two lengths, or a length beside chunks, are how requests are smuggled.
  assert.match(await raw(api, `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`), /^HTTP\/1.1 400 /)
  assert.match(await raw(api, `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`), /^HTTP\/1.1 400 /)
})

test('headers that are too large are refused', async () => {
  await using api = await startApi()
  assert.match(await raw(api, `GET /livez HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1.1 431 /)
})
