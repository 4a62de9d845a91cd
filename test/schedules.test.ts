import assert from 'node:assert/strict'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { REDIS_INSTALLED, startRedis } from '../libs/services/cache/testing/redis-server.ts'
import { testDatabase } from '../libs/postgres/testing/index.ts'
import { startCli, testFolder } from './cli-process.ts'
import type { RunningCli } from './cli-process.ts'

const ROOT = join(import.meta.dirname, '..')
const PLUGIN = `
import { Router, TrustedBase, ok } from '@xcore/sdk'

export default class Plugin extends TrustedBase {
  async onLoad() {
    const scheduler = this.getService('scheduler')
    scheduler.addJob({ id: 'tick', trigger: 'interval', seconds: 0.3, func: this.tick, args: ['tock'] })
    scheduler.addJob({ id: 'daily', trigger: 'cron', cron: '30 2 * * *', timezone: 'Europe/Stockholm', func: () => ok(), jitter: 5 })
  }
  async tick(word, job) {
    const count = (await this.getService('cache').get('ticks') ?? 0) + 1
    await this.getService('cache').set('ticks', count)
    job.logger.info(word + ' ' + count)
    return ok({ count })
  }
  late(name) { this.logger.info('late ' + name) }
  async handle(action, payload) {
    if (action === 'later') return ok({ id: await this.getService('scheduler').addJob({ trigger: 'date', runDate: payload.at, func: this.late, args: ['Ada'] }) })
    await this.getService('cache').set('from', action, { ttl: 60 })
    return ok()
  }
  getRouter() {
    const router = new Router()
    router.get('/from', async (ctx) => { ctx.body = { from: await this.getService('cache').get('from') } })
    return router
  }
}
`

async function json(response: Response): Promise<Record<string, unknown>> {
  return Object(await response.json())
}

interface Listed {
  readonly id: string
  readonly next_run: string
  readonly last_run: string | null
  readonly paused: boolean
}

async function schedules(api: RunningCli): Promise<Listed[]> {
  const { schedules: listed } = await json(await fetch(`${api.url}/admin/schedules`))
  assert.ok(Array.isArray(listed))
  return listed
}

const post = (api: RunningCli, path: string, body: unknown = {}) =>
  fetch(api.url + path, { method: 'POST', headers: { 'content-type': 'application/json', prefer: 'wait=20' }, body: JSON.stringify(body) })

for (const store of ['Postgres', 'Redis'] as const) {
  const skip = store === 'Redis' && !REDIS_INSTALLED ? 'redis-server is not installed' : false
  test(`schedules and the cache in ${store}, with api and worker apart`, { skip }, async () => {
    await using folder = await testFolder()
    await using database = await testDatabase()
    await using stack = new AsyncDisposableStack()
    const redis = store === 'Redis' ? { REDIS_URL: stack.use(await startRedis()).url, XCORE_QUEUE_DRIVER: 'pg-boss' } : {}
    await folder.write({ 'plugins/keeper/plugin.yaml': 'name: keeper\nversion: 1.0.0\n', 'plugins/keeper/src/main.ts': PLUGIN })
    await symlink(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'))
    const env = { DATABASE_URL: database.url, XCORE_HTTP_PORT: '0', XCORE_WORKER_METRICS_PORT: '0', ...redis }
    await using api = await startCli(['api'], { cwd: folder.path, env })
    let daily: Listed | undefined
    {
      await using worker = await startCli(['worker'], { cwd: folder.path, env })
      await worker.line((line) => line.includes('tock 3'))
      const [first, tick] = await schedules(api)
      daily = first
      assert.deepEqual([daily?.id, daily?.last_run, tick?.id, tick?.paused], ['daily', null, 'tick', false])
      assert.ok(Date.parse(daily?.next_run ?? '') > Date.now() && tick?.last_run !== null)

      assert.equal((await post(api, '/ipc/keeper/hello', { payload: {} })).status, 200)
      assert.deepEqual(await json(await fetch(`${api.url}/plugins/keeper/from`)), { from: 'hello' })

      assert.equal((await post(api, '/admin/schedules/keeper/tick/pause')).status, 200)
      assert.equal((await post(api, '/admin/schedules/keeper/none/pause')).status, 404)
      const runAt = new Date(Date.now() + 200).toISOString()
      assert.equal((await post(api, '/ipc/keeper/later', { payload: { at: runAt } })).status, 200)
      await worker.line((line) => line.includes('late Ada'))
      worker.child.kill('SIGTERM')
      await worker.ended
    }
    await using worker = await startCli(['worker'], { cwd: folder.path, env })
    const [again, tick, ...others] = await schedules(api)
    assert.deepEqual([again?.next_run, tick?.paused, others], [daily?.next_run, true, []])
    assert.equal((await post(api, '/admin/schedules/keeper/tick/resume')).status, 200)
    await worker.line((line) => line.includes('tock'))
    const { jobs } = await json(await fetch(`${api.url}/jobs?kind=schedule&name=tick&state=succeeded&limit=200`))
    assert.ok(Array.isArray(jobs))
    const times = jobs.map((job: { payload: { scheduled_for: string } }) => job.payload.scheduled_for)
    assert.equal(new Set(times).size, times.length)
  })
}
