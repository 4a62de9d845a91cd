import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PluginDirectory } from '../../engine/index.ts'
import type { PluginHost } from '../../plugin-host/index.ts'
import { hostWith, pluginClass } from '../../plugin-host/testing/plugin-folder.ts'
import { testDb } from './testing/db-platform.ts'

// Plugins as authors write them, on a real engine and database.
const MAIN = pluginClass(`
  actions = {
    place: action({ handler: async (payload, job) => {
      const placed = await job.transaction(async (tx) => {
        const [order] = await tx.query('insert into orders (id, n) values ($1, $2) returning n', [job.id, payload.n])
        const event = await this.ctx.events.emit('order.placed', order, { tx })
        const follow = await this.enqueue('shop', 'follow', order, { tx, delaySeconds: 60 })
        return { ...order, event, follow }
      })
      if (payload.then === 'throw') throw new Error('on second thoughts')
      if (payload.then === 'hang') await new Promise((resolve) => job.signal.addEventListener('abort', resolve))
      return ok(placed)
    } }),
    follow: action({ handler: async () => ok() }),
    outbox: action({ handler: async (payload) => {
      const id = await this.getService('db').transaction(async (tx) => {
        const id = await this.ctx.events.emit('order.seen', payload, { tx })
        if (payload.fail) throw new Error('no')
        return id
      })
      return ok({ id })
    } }),
    forget: action({ handler: async (payload, job) => { void job.transaction(async (tx) => tx.query('insert into orders values ($1, 1)', [job.id])); return ok() } }),
    stray: action({ handler: async () => { await this.ctx.events.emit('x', {}, { tx: { query() {} } }) } }),
    wrong: action({ handler: async () => ok({ rows: await this.getService('db').query('select nonsense from orders') }) }),
  }
`)

test('a plugin with migrations, events and jobs in transactions', async () => {
  const found: { host?: PluginHost } = {}
  const plugins: PluginDirectory = {
    find: (name) => found.host?.find(name),
    runnable: () => found.host?.runnable() ?? [],
    refusal: (name) => found.host?.refusal(name),
  }
  await using t = await testDb(plugins, { consume: false })
  const manifest = 'name: shop\nversion: 1.0.0\nresources: {timeout_seconds: 1}\nruntime: {retry: {max_attempts: 1}}\n'
  const shop = {
    'plugin.yaml': manifest,
    'src/main.ts': MAIN,
    'migrations/1_orders.sql': 'create table orders (id uuid primary key, n int);',
  }
  const broken = { 'src/main.ts': pluginClass(''), 'migrations/1_bad.sql': 'create table;' }
  await using loaded = await hostWith({ shop, broken }, { databases: t.db, services: { db: t.db.of } })
  found.host = loaded.host
  assert.equal(loaded.host.status('broken')?.lastError?.code, 'plugin_migration_failed')
  assert.match(loaded.host.status('broken')?.lastError?.message ?? '', /migrations\/1_bad.sql, line 1, column 13/)
  await t.consumers.start()
  const run = async (action: string, payload = {}) => {
    const { jobId } = await t.engine.submit({ plugin: 'shop', action, payload, source: 'plugin' })
    const job = await t.engine.wait(jobId, 20_000)
    assert.ok(job !== undefined)
    return job
  }
  const counts = () =>
    t.database.run(
      `select (select count(*) from plugin_shop.orders)::int as orders, (select count(*) from xcore.jobs where name = 'follow')::int as follow,
         (select count(*) from xcore.event_log where type = 'event.emitted')::int as events`,
    )

  const placed = await run('place', { n: 7 })
  assert.equal(placed.state, 'succeeded')
  assert.equal(placed.result?.['n'], 7)
  const [follow] = (await t.engine.list({ name: 'follow' })).jobs
  assert.ok(follow !== undefined)
  assert.equal(follow.id, placed.result?.['follow'])
  assert.equal(follow.state, 'scheduled')
  assert.equal(follow.causationId, placed.id)
  assert.equal(follow.correlationId, placed.correlationId)
  assert.deepEqual(await counts(), [{ orders: 1, follow: 1, events: 1 }])

  assert.equal((await run('place', { n: 8, then: 'throw' })).error?.message, 'on second thoughts')
  assert.equal((await run('place', { n: 9, then: 'hang' })).error?.code, 'timeout')
  assert.equal((await run('place', { n: 'not a number' })).error?.code, 'database_error')
  assert.match((await run('forget')).error?.message ?? '', /still open; await it/)
  assert.equal((await run('stray')).error?.code, 'bad_request')
  const wrong = await run('wrong')
  assert.equal(wrong.error?.code, 'database_error')
  assert.match(wrong.error.message, /line 1, column 8: column "nonsense" does not exist/)
  assert.equal((await run('outbox', { fail: true })).state, 'dead')
  assert.deepEqual(await counts(), [{ orders: 1, follow: 1, events: 1 }])
  assert.equal((await run('outbox', {})).state, 'succeeded')
  assert.deepEqual(await counts(), [{ orders: 1, follow: 1, events: 2 }])
  await t.consumers.stop(5_000)
})
