import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import { test } from 'node:test'
import { post } from './send.ts'

async function serve(listener: RequestListener) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return {
    url: `http://127.0.0.1:${address.port}/hook`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const request = (url: string, signal = new AbortController().signal) => ({
  url,
  headers: { 'x-test': '1' },
  body: '{"ö":1}',
  allowPrivate: true,
  signal,
})

test('body and headers arrive as given; status, Retry-After and words come back', async () => {
  const seen: string[] = []
  await using server = await serve(async (req, res) => {
    seen.push(req.method ?? '', req.headers['x-test']?.toString() ?? '', await new Response(req).text())
    res.writeHead(429, { 'retry-after': '3' }).end('slow\u0000\ndown')
  })
  const answer = await post(request(server.url))
  assert.deepEqual(answer, { kind: 'answered', status: 429, retryAfter: '3', body: 'slow down' })
  assert.deepEqual(seen, ['POST', '1', '{"ö":1}'])
})

test('a redirect is not followed', async () => {
  let hits = 0
  await using server = await serve((_, res) => {
    hits += 1
    res.writeHead(302, { location: '/elsewhere' }).end()
  })
  const answer = await post(request(server.url))
  assert.ok(answer.kind === 'answered' && answer.status === 302)
  assert.equal(hits, 1)
})

test('an answer that never ends is cut off', async () => {
  await using server = await serve((_, res) => {
    res.writeHead(200)
    const more = () => res.write('x'.repeat(600), () => res.destroyed || setImmediate(more))
    more()
  })
  const answer = await post(request(server.url))
  assert.ok(answer.kind === 'answered' && answer.status === 200)
  assert.equal(answer.body.length, 1024)
})

test('silence ends with the signal, and a closed port is unreachable', async () => {
  const abort = new AbortController()
  let url = ''
  {
    await using server = await serve(() => abort.abort(new Error('deadline')))
    url = server.url
    await assert.rejects(post(request(url, abort.signal)), /deadline/)
  }
  const answer = await post(request(url))
  assert.ok(answer.kind === 'unreachable')
  assert.match(answer.reason, /ECONNREFUSED/)
})

test('private addresses are refused, by address and by name', async () => {
  let hits = 0
  await using server = await serve((_, res) => {
    hits += 1
    res.end()
  })
  for (const url of [server.url, server.url.replace('127.0.0.1', 'localhost')]) {
    const answer = await post({ ...request(url), allowPrivate: false })
    assert.equal(answer.kind, 'forbidden', url)
  }
  assert.equal(hits, 0)
})
