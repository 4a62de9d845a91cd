import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger, createMetrics } from '../../libs/telemetry/index.ts'
import { createMetricsServer } from './metrics-server.ts'
import type { MetricsServerOptions } from './metrics-server.ts'

const KEYS: MetricsServerOptions['keys'] = [
  { name: 'prometheus', scopes: ['read'], key: 'k-read' },
  { name: 'shop', scopes: ['call'], key: 'k-call' },
]

async function served(keys: MetricsServerOptions['keys']) {
  let ready = true
  const metrics = createMetrics()
  const server = createMetricsServer({
    metrics,
    keys,
    logger: createLogger({ level: 'silent' }),
    readiness: async () => ({ ready, checks: [{ name: 'database', ok: ready }] }),
  })
  const { url } = await server.listen('127.0.0.1', 0)
  return {
    metrics,
    get: (path: string, headers: Record<string, string> = {}) => fetch(url + path, { headers }),
    unready: () => (ready = false),
    [Symbol.asyncDispose]: () => server.close(),
  }
}

test('with keys, /metrics asks for one with the scope read; health asks for none', async () => {
  await using worker = await served(KEYS)
  const none = await worker.get('/metrics')
  assert.deepEqual([none.status, none.headers.get('www-authenticate')], [401, 'Bearer'])
  assert.equal((await worker.get('/metrics', { authorization: 'Bearer guess' })).status, 401)
  assert.equal((await worker.get('/metrics', { authorization: 'Bearer k-call' })).status, 403)
  assert.equal((await worker.get('/metrics', { authorization: 'Bearer k-read' })).status, 200)
  for (const path of ['/livez', '/readyz']) assert.equal((await worker.get(path)).status, 200)
  assert.match(await worker.metrics.text(), /^xcore_auth_failures_total\{reason="unknown"\} 1$/m)
})

test('without keys, only this machine is served, and needs none', async () => {
  await using worker = await served([])
  const scraped = await worker.get('/metrics', { accept: 'application/openmetrics-text' })
  assert.deepEqual([scraped.status, scraped.headers.get('content-type')?.split(';')[0]], [200, 'application/openmetrics-text'])
  const open = createMetricsServer({
    metrics: createMetrics(),
    keys: [],
    logger: createLogger({ level: 'silent' }),
    readiness: async () => ({ ready: true, checks: [] }),
  })
  await assert.rejects(open.listen('0.0.0.0', 0), { code: 'config_invalid' })
})

test('readiness tells its checks when asked', async () => {
  await using worker = await served([])
  worker.unready()
  const answer = await worker.get('/readyz?verbose')
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1'])
  assert.deepEqual(await answer.json(), { status: 'not_ready', checks: [{ name: 'database', ok: false }] })
  assert.equal((await worker.get('/livez')).status, 200)
})
