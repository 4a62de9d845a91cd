import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pluginName } from '../../libs/event-log/index.ts'
import { createMemorySchedules } from '../../libs/services/scheduler/memory/registry.ts'
import type { ScheduleRequest } from '../../libs/services/scheduler/index.ts'
import { jsonOf, startApi } from './testing/start-api.ts'

const request = (plugin: string, id: string): ScheduleRequest => ({
  plugin: pluginName(plugin),
  id,
  trigger: { kind: 'cron', cron: '30 2 * * *', timezone: 'Europe/Stockholm' },
  args: [1],
  missed: 'skip',
  jitterSeconds: 5,
  method: 'report',
  priority: 50,
  maxAttempts: 3,
  pluginVersion: '1.2.0',
  replaceExisting: false,
})

test('GET /admin/schedules lists all or those of one plugin; they are paused and resumed by plugin and id', async () => {
  const schedules = createMemorySchedules(() => Date.parse('2026-06-01T12:00:00Z'))
  await schedules.replace(pluginName('shop'), [request('shop', 'nightly/eu report')])
  await schedules.replace(pluginName('mail'), [request('mail', 'a')])
  await using api = await startApi({ schedules })
  const nightly = {
    plugin: 'shop',
    id: 'nightly/eu report',
    trigger: 'cron',
    description: '30 2 * * * (Europe/Stockholm)',
    next_run: '2026-06-02T00:30:00.000Z',
    last_run: null,
    paused: false,
    missed: 'skip',
    jitter_seconds: 5,
    args: [1],
    func: 'report',
    plugin_version: '1.2.0',
  }
  const all = await jsonOf(await api.request('/admin/schedules'))
  assert.ok(Array.isArray(all['schedules']))
  assert.equal(all['schedules'].length, 2)
  assert.deepEqual(await jsonOf(await api.request('/admin/schedules?plugin=shop')), { schedules: [nightly] })
  assert.equal((await api.request('/admin/schedules?plugins=shop')).status, 400)

  const path = `/admin/schedules/shop/${encodeURIComponent('nightly/eu report')}`
  const paused = await api.post(`${path}/pause`, {})
  assert.deepEqual([paused.status, await jsonOf(paused)], [200, { ...nightly, paused: true }])
  assert.deepEqual(await jsonOf(await api.post(`${path}/resume`, {})), nightly)
  const unknown = await api.post('/admin/schedules/shop/none/pause', {})
  assert.equal(unknown.status, 404)
  assert.match(String((await jsonOf(unknown))['detail']), /The plugin "shop" has no schedule "none"; GET \/admin\/schedules lists them/)
})

test('reading needs `read`, pausing needs `operate`', async () => {
  const keys = [{ name: 'reader', scopes: ['read' as const], key: 'r' }]
  await using api = await startApi({ auth: { keys } })
  const headers = { authorization: 'Bearer r' }
  assert.equal((await api.request('/admin/schedules')).status, 401)
  assert.equal((await api.request('/admin/schedules', { headers })).status, 200)
  assert.equal((await api.post('/admin/schedules/a/b/pause', {}, headers)).status, 403)
})
