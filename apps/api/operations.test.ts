import assert from 'node:assert/strict'
import { test } from 'node:test'
import { XCoreError } from '../../libs/errors/index.ts'
import { eventId, pluginName } from '../../libs/event-log/index.ts'
import type { ProcessResult } from '../../libs/plugin-host/control/control.ts'
import type { PluginStatus } from '../../libs/plugin-host/port.ts'
import { jsonOf, startApi, testDeps } from './testing/start-api.ts'

const SHOP: PluginStatus = {
  name: 'shop',
  folder: 'shop',
  version: '1.2.3',
  state: 'ready',
  manifest: { name: 'shop' },
  paused: false,
  lastError: null,
  sandbox: null,
  actions: [
    { name: 'create_order', input: { type: 'object', properties: { amount: { type: 'number' } } } },
    { name: 'free', input: null },
  ],
  subscriptions: [{ id: 'a', pattern: 'user.*', priority: 50 }],
}
const BROKEN: PluginStatus = {
  ...SHOP,
  name: 'broken',
  version: null,
  state: 'failed',
  manifest: null,
  lastError: { code: 'manifest_invalid', message: 'plugin.yaml:3' },
  actions: [{ name: 'never', input: null }],
}
const host = {
  ...testDeps().host,
  statuses: () => [SHOP, BROKEN],
  status: (name: string) => [SHOP, BROKEN].find((plugin) => plugin.name === name),
}

test('readiness says what is missing, and that the process is stopping', async () => {
  let ready = true
  const stop = new AbortController()
  await using api = await startApi({
    readiness: async () => ({ ready, checks: [{ name: 'postgres', ok: ready, ...(!ready && { detail: 'no connection' }) }] }),
    draining: stop.signal,
  })
  assert.deepEqual(await jsonOf(await api.request('/readyz')), { status: 'ok' })
  assert.deepEqual(await jsonOf(await api.request('/readyz?verbose')), { status: 'ok', checks: [{ name: 'postgres', ok: true }] })
  ready = false
  const away = await api.request('/readyz?verbose')
  assert.equal(away.status, 503)
  assert.equal(away.headers.get('content-type'), 'application/problem+json')
  assert.ok(away.headers.has('retry-after'))
  const body = await jsonOf(away)
  assert.equal(body['code'], 'not_ready')
  assert.match(String(body['detail']), /postgres/)
  assert.deepEqual(body['checks'], [{ name: 'postgres', ok: false, detail: 'no connection' }])
  ready = true
  stop.abort()
  const stopping = await api.request('/readyz')
  assert.equal(stopping.status, 503)
  assert.match(await stopping.text(), /draining/)
  assert.equal((await api.request('/livez')).status, 200)
})

test('metrics are text, HEAD works', async () => {
  await using api = await startApi()
  const response = await api.request('/metrics')
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0.0.4/)
  assert.match(await response.text(), /# HELP/)
  assert.equal((await api.request('/livez', { method: 'HEAD' })).status, 200)
})

test('plugins and queues', async () => {
  const now = new Date('2026-03-01T12:00:00Z')
  const depth = { plugin: pluginName('shop'), waiting: 3, delayed: 2, held: 1, oldestWaitingSince: new Date('2026-03-01T11:59:50Z') }
  await using api = await startApi({ host, now: () => now, queue: { depths: async () => [depth] } })
  const list = await jsonOf(await api.request('/admin/plugins'))
  assert.ok(Array.isArray(list['plugins']) && list['plugins'].length === 2)
  assert.deepEqual(await jsonOf(await api.request('/admin/plugins/broken')), {
    name: 'broken',
    version: null,
    state: 'failed',
    paused: false,
    last_error: { code: 'manifest_invalid', message: 'plugin.yaml:3' },
    sandbox: null,
    folder: 'shop',
    manifest: null,
    actions: [{ name: 'never', input: null }],
    subscriptions: [{ id: 'a', pattern: 'user.*', priority: 50 }],
  })
  assert.equal((await api.request('/admin/plugins/none')).status, 404)
  assert.deepEqual(await jsonOf(await api.request('/admin/queues')), {
    queues: [{ plugin: 'shop', depth: 6, waiting: 3, delayed: 2, active: 1, oldest_waiting_seconds: 10, rate_limit: null }],
  })
})

test('commands for plugins tell what each process made of them', async () => {
  const done = { process: 'a/1', role: 'api', state: 'ready', version: '1.2.3', error: null }
  const failed = { ...done, process: 'b/1', role: 'worker', error: { code: 'plugin_load_failed', message: 'main.ts: no' } }
  const silent = { ...done, process: 'c/1', state: null, version: null, error: { code: 'timeout', message: 'no answer' } }
  const answers: Readonly<Record<string, () => Promise<readonly ProcessResult[]>>> = {
    load: async () => [done],
    reload: async () => [done, failed],
    pause: async () => [silent],
    unload: () => Promise.reject(new XCoreError('plugin_required', 'plugin shop is required by till; unload them first')),
  }
  await using api = await startApi({ host, control: { run: async (_plugin, command) => (await answers[command]?.()) ?? [] } })
  const post = async (command: string) => {
    const response = await api.post(`/admin/plugins/shop/${command}`, {})
    return { status: response.status, body: await jsonOf(response) }
  }
  const loaded = await post('load')
  assert.deepEqual(
    [loaded.status, loaded.body['name'], loaded.body['state'], loaded.body['processes']],
    [200, 'shop', 'ready', [{ process: 'a/1', role: 'api', ok: true, state: 'ready', version: '1.2.3', error: null }]],
  )
  const reloaded = await post('reload')
  assert.deepEqual([reloaded.status, reloaded.body['code']], [409, 'plugin_load_failed'])
  assert.match(String(reloaded.body['detail']), /failed in 1 of 2 processes, first in b\/1: main\.ts: no/)
  assert.deepEqual((await post('pause')).status, 504)
  assert.deepEqual([(await post('unload')).status, (await post('unload')).body['code']], [409, 'plugin_required'])

  await using locked = await startApi({ host, auth: { keys: [{ name: 'reader', scopes: ['read'], key: 'k' }] } })
  assert.equal((await locked.post('/admin/plugins/shop/reload', {}, { authorization: 'Bearer k' })).status, 403)
})

test('the description lists every endpoint and the declared actions of ready plugins', async () => {
  await using api = await startApi({ host })
  const document = await jsonOf(await api.request('/openapi.json'))
  assert.equal(document['openapi'], '3.1.0')
  const paths = Object.keys(document['paths'] ?? {})
  for (const path of [
    '/ipc/{plugin}/{action}',
    '/events',
    '/jobs/{id}/cancel',
    '/openapi.json',
    '/ipc/shop/create_order',
    '/ipc/shop/free',
  ]) {
    assert.ok(paths.includes(path), path)
  }
  assert.ok(!paths.includes('/ipc/broken/never'))
  const text = JSON.stringify(document)
  for (const [, reference] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) assert.ok(text.includes(`"${reference}":{`))
})

test('an emitted event without subscribers is accepted', async () => {
  await using api = await startApi()
  api.engine.emit = async () => ({ eventId: eventId('e'), jobs: [], replayed: false })
  const response = await api.request('/events', {
    method: 'POST',
    headers: { 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify({ specversion: '1.0', id: '1', source: '/a', type: 't' }),
  })
  assert.deepEqual(await jsonOf(response), { event_id: 'e', jobs: [] })
})
