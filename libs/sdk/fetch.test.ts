import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { checkedFetch } from './fetch.ts'

async function serving(listener: RequestListener): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

const asked: string[] = []
const record = (resource: string, verb: string) => void asked.push(`${verb} ${resource}`)

test('each hop of a redirect is checked, and a denied one is not asked', async () => {
  const seen: string[] = []
  await using server = await serving((request, response) => {
    seen.push(`${request.method} ${request.headers.host} ${request.headers.authorization ?? '-'}`)
    if (request.url === '/away') response.writeHead(302, { location: `http://localhost:${server.port}/there` }).end()
    else response.end('here')
  })
  asked.length = 0
  const url = `http://127.0.0.1:${server.port}/away`
  const response = await checkedFetch(record, url, { headers: { authorization: 'Bearer secret' } })
  assert.equal(await response.text(), 'here')
  assert.deepEqual(asked, ['read net:127.0.0.1', 'read net:localhost'])
  assert.deepEqual(seen, [`GET 127.0.0.1:${server.port} Bearer secret`, `GET localhost:${server.port} -`])

  const onlyFirst = (resource: string) => {
    if (resource !== 'net:127.0.0.1') throw new Error('denied')
  }
  await assert.rejects(checkedFetch(onlyFirst, url, {}), /denied/)
  assert.equal(seen.length, 3)
})

test('what a redirect does to method and body', async () => {
  const bodies: string[] = []
  const told = async (request: IncomingMessage) => bodies.push(`${request.method} ${request.url} ${await text(request)}`)
  await using server = await serving((request, response) => {
    void told(request).then(() => {
      const status = /^\/(\d+)$/.exec(request.url ?? '')?.[1]
      if (status === undefined) response.end('done')
      else response.writeHead(Number(status), { location: '/end' }).end()
    })
  })
  const base = `http://127.0.0.1:${server.port}`
  asked.length = 0
  await checkedFetch(record, `${base}/307`, { method: 'POST', body: 'x' })
  await checkedFetch(record, `${base}/302`, { method: 'POST', body: 'x' })
  await checkedFetch(record, `${base}/303`, { method: 'PUT', body: 'x' })
  await checkedFetch(record, new Request(`${base}/308`, { method: 'POST', body: 'y' }), {})
  assert.deepEqual(bodies, [
    'POST /307 x',
    'POST /end x',
    'POST /302 x',
    'GET /end ',
    'PUT /303 x',
    'GET /end ',
    'POST /308 y',
    'POST /end y',
  ])
  assert.equal(asked.filter((each) => each.startsWith('write')).length, 6)
  assert.equal((await checkedFetch(record, `${base}/302`, { redirect: 'manual' })).status, 302)
  await assert.rejects(checkedFetch(record, `${base}/302`, { redirect: 'error' }), /redirects/)
})

test('endless redirects end; hosts are named without brackets and final dot', async () => {
  await using server = await serving((_request, response) => void response.writeHead(302, { location: '/again' }).end())
  await assert.rejects(checkedFetch(record, `http://127.0.0.1:${server.port}/`, {}), /at most 20 redirects/)
  const refuse = (resource: string) => {
    throw new Error(resource)
  }
  await assert.rejects(checkedFetch(refuse, 'http://[::1]:1/', {}), /^Error: net:::1$/)
  await assert.rejects(checkedFetch(refuse, 'http://EXAMPLE.com.:1/', {}), /^Error: net:example\.com$/)
})
