import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { startApi } from './testing/start-api.ts'

test('a caller that waits gets its 202 when the process stops, and nobody new is let in', async () => {
  await using api = await startApi()
  const waiting = Promise.withResolvers<void>()
  api.engine.onWait = () => waiting.resolve()
  const call = api.post('/ipc/demo/slow', {}, { prefer: 'wait=60' })
  await waiting.promise
  const closed = api.api.close(10_000)
  const response = await call
  assert.equal(response.status, 202)
  assert.equal(response.headers.get('connection'), 'close')
  await response.text()
  await closed
  await assert.rejects(api.request('/livez'))
  await api.api.close(0)
})

test('idle connections do not hold up the end', async () => {
  await using api = await startApi()
  const socket = connect(api.port, '127.0.0.1')
  const answered = once(socket, 'data')
  socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n')
  await answered
  const ended = once(socket, 'close')
  await api.api.close(60_000)
  await ended
})

test('what is unfinished at the deadline is cut', async () => {
  await using api = await startApi()
  const socket = connect(api.port, '127.0.0.1')
  const head = once(socket, 'data')
  // Asks leave to send a body, gets it, and never sends it.
  socket.write('POST /ipc/demo/ping HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n')
  await head
  const rest = text(socket)
  await api.api.close(20)
  assert.equal(await rest, '')
})
