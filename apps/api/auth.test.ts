import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AuthRefused, createAuthWatch, createAuthorize, isLoopback } from './auth.ts'
import { createApi } from './server.ts'
import { jsonOf, startApi, testDeps } from './testing/start-api.ts'
import type { ApiKey } from './deps.ts'

const KEYS: readonly ApiKey[] = [
  { name: 'caller', scopes: ['call'], key: 'key-of-the-caller' },
  { name: 'reader', scopes: ['read'], key: 'key-of-the-reader' },
  { name: 'robot', scopes: ['emit', 'operate'], key: 'key-of-the-robot' },
]
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

test('each endpoint asks for its scope', async () => {
  await using api = await startApi({ auth: { keys: KEYS } })
  const id = '0198c0de-0000-7000-8000-000000000001'
  const endpoints: readonly [string, string, string][] = [
    ['POST', '/ipc/demo/ping', 'caller'],
    ['POST', '/events', 'robot'],
    ['POST', `/jobs/${id}/cancel`, 'robot'],
    ['GET', '/jobs', 'reader'],
    ['GET', `/jobs/${id}`, 'reader'],
    ['GET', `/jobs/${id}/events`, 'reader'],
    ['GET', '/admin/plugins', 'reader'],
    ['GET', '/admin/plugins/x', 'reader'],
    ['GET', '/admin/queues', 'reader'],
    ['GET', '/metrics', 'reader'],
    ['GET', '/openapi.json', 'reader'],
  ]
  for (const [method, path, allowed] of endpoints) {
    const none = await api.request(path, { method })
    assert.equal(none.status, 401, path)
    assert.match(none.headers.get('www-authenticate') ?? '', /^Bearer/)
    for (const { name, key } of KEYS) {
      const response = await api.request(path, { method, headers: bearer(key) })
      assert.equal([401, 403].includes(response.status), name !== allowed, `${path} with ${name}: ${response.status}`)
      if (name !== allowed) assert.equal((await jsonOf(response))['code'], 'permission_denied')
    }
  }
  for (const path of ['/livez', '/readyz']) assert.equal((await api.request(path)).status, 200)
})

test('nothing but health and the console’s page is open without a key', async () => {
  await using api = await startApi({ auth: { keys: KEYS } })
  const document = await jsonOf(await api.request('/openapi.json', { headers: bearer('key-of-the-reader') }))
  const open: string[] = []
  for (const [path, methods] of Object.entries(Object(document['paths']))) {
    for (const method of Object.keys(Object(methods))) {
      const response = await api.request(path.replaceAll(/\{\w+\}/g, 'x'), { method: method.toUpperCase() })
      if (response.status !== 401) open.push(path)
    }
  }
  assert.deepEqual(open.sort(), ['/console', '/livez', '/readyz'])
})

test('how a key may be sent', async () => {
  await using api = await startApi({ auth: { keys: KEYS } })
  const ok: readonly Record<string, string>[] = [
    bearer('key-of-the-caller'),
    { authorization: 'bearer key-of-the-caller' },
    { 'x-plugin-key': 'key-of-the-caller' },
  ]
  for (const headers of ok) assert.equal((await api.post('/ipc/demo/ping', {}, headers)).status, 202)
  const bad: readonly Record<string, string>[] = [
    bearer('key-of-the-calle'),
    bearer('key-of-the-caller2'),
    bearer(''),
    { authorization: 'key-of-the-caller' },
    { authorization: 'Basic a2V5' },
    { 'x-plugin-key': '' },
    { 'x-plugin-key': 'KEY-OF-THE-CALLER' },
  ]
  for (const headers of bad) assert.equal((await api.post('/ipc/demo/ping', {}, headers)).status, 401, JSON.stringify(headers))
  assert.ok(api.log.some((line) => line['caller'] === 'caller'))
  assert.doesNotMatch(JSON.stringify(api.log), /key-of-the/)
})

test('without keys: only loopback, and no pages of other sites', async () => {
  await using api = await startApi()
  assert.equal((await api.post('/ipc/demo/ping', {}, { 'sec-fetch-site': 'same-origin' })).status, 202)
  assert.equal((await api.post('/ipc/demo/ping', {}, { 'sec-fetch-site': 'cross-site' })).status, 403)
  assert.equal((await api.request('/jobs', { headers: { 'sec-fetch-site': 'cross-site' } })).status, 200)
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.com']) {
    const unbound = createApi({ ...testDeps(), auth: { keys: [] } })
    await assert.rejects(unbound.listen(host, 0), { code: 'config_invalid' }, host)
    await unbound.close(0)
  }
  assert.deepEqual(['127.0.0.1', '127.1.2.3', '::1', 'localhost', '127.evil.com', '10.0.0.1'].map(isLoopback), [
    true,
    true,
    true,
    true,
    false,
    false,
  ])
})

test('with keys any host may be bound; a port in use is told', async () => {
  const open = createApi({ ...testDeps(), auth: { keys: KEYS } })
  const { port, url } = await open.listen('0.0.0.0', 0)
  assert.equal(url, `http://0.0.0.0:${port}`)
  const second = createApi({ ...testDeps(), auth: { keys: KEYS } })
  await assert.rejects(second.listen('0.0.0.0', port), { code: 'config_invalid', message: /EADDRINUSE/ })
  await open.close(0)
})

test('two keys of one name are valid at once, each with its own scopes', async () => {
  const keys: readonly ApiKey[] = [
    { name: 'shop', scopes: ['call'], key: 'key-of-last-year' },
    { name: 'shop', scopes: ['call', 'read'], key: 'key-of-this-year' },
  ]
  await using api = await startApi({ auth: { keys } })
  for (const { key } of keys) assert.equal((await api.post('/ipc/demo/ping', {}, bearer(key))).status, 202)
  assert.equal((await api.request('/jobs', { headers: bearer('key-of-last-year') })).status, 403)
  assert.equal((await api.request('/jobs', { headers: bearer('key-of-this-year') })).status, 200)
})

test('failed tries are counted by reason, and logged without the key', async () => {
  const reasons: string[] = []
  const metrics = { ...testDeps().metrics, authFailuresTotal: { inc: ({ reason }: { reason: string }) => void reasons.push(reason) } }
  await using api = await startApi({ auth: { keys: KEYS }, metrics })
  await api.post('/ipc/demo/ping', {})
  await api.post('/ipc/demo/ping', {}, bearer('guess-1'))
  await api.post('/ipc/demo/ping', {}, bearer('key-of-the-reader'))
  assert.deepEqual(reasons, ['missing', 'unknown', 'scope'])
  const lines = api.log.filter((line) => line['msg'] === 'a request was refused for its key')
  assert.deepEqual(
    lines.map(({ reason, caller, route }) => [reason, caller, route]),
    [
      ['missing', undefined, '/ipc/:plugin/:action'],
      ['unknown', undefined, '/ipc/:plugin/:action'],
      ['scope', 'reader', '/ipc/:plugin/:action'],
    ],
  )
  assert.ok(lines.every((line) => String(line['address']).includes('127.0.0.1')))
  assert.doesNotMatch(JSON.stringify(api.log), /guess-1|key-of-the/)
})

test('a guesser fills no log: five lines in ten seconds, then a count', () => {
  let clock = 0
  let counted = 0
  const lines: unknown[] = []
  const watch = createAuthWatch(
    { authFailuresTotal: { inc: () => void counted++ } },
    { warn: (fields: unknown) => void lines.push(fields) },
    () => clock,
  )
  const failed = { refused: new AuthRefused('unknown', 'no'), address: '192.0.2.1', route: '/jobs' }
  for (let index = 0; index < 1000; index++) watch(failed)
  assert.equal(lines.length, 5)
  clock = 10_000
  watch(failed)
  assert.deepEqual(lines.slice(5), [{ left_out: 995 }, { reason: 'unknown', address: '192.0.2.1', route: '/jobs' }])
  assert.equal(counted, 1001)
})

test('at least 20,000 checks a second with 50 keys', () => {
  const keys = Array.from({ length: 50 }, (_, index): ApiKey => ({ name: `key-${index}`, scopes: ['call'], key: `secret-${index}` }))
  const authorize = createAuthorize(keys)
  const rates: number[] = []
  for (let round = 0; round < 5; round++) {
    const started = performance.now()
    for (let index = 0; index < 4_000; index++) authorize({ authorization: 'Bearer secret-49' }, 'call')
    rates.push((4_000 / (performance.now() - started)) * 1000)
  }
  // The best of them: the others tell of what else this machine does.
  assert.ok(Math.max(...rates) >= 20_000, `${Math.round(Math.max(...rates))} a second`)
})
