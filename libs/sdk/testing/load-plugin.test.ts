import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { ok } from '@xcore/sdk'
import { loadPlugin } from '@xcore/sdk/testing'
import { testDatabase } from '../../postgres/testing/index.ts'

async function pluginFolder(files: Readonly<Record<string, string>>) {
  const path = await mkdtemp(join(tmpdir(), 'xcore-kit-'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), text)
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

const HEAD = `import { HttpError, RetryLater, Router, TrustedBase, Type, action, error, ok } from '@xcore/sdk'\n`
const shop = (manifest = '', members = '') => ({
  'plugin.yaml': `name: shop\nversion: 1.0.0\n${manifest}`,
  'src/main.ts': `${HEAD}export default class Shop extends TrustedBase {${members}}\n`,
})

test('actions, events, routes, jobs and the cache work without a server', async () => {
  await using folder = await pluginFolder(
    shop(
      '',
      `
  async onLoad() {
    this.ctx.events.on('order.placed', this.onPlaced)
  }
  actions = {
    place: action({
      input: Type.Object({ product: Type.String() }),
      handler: async (order, job) => {
        await this.ctx.events.emit('order.placed', { id: job.id, ...order })
        await this.enqueue('shop', 'tidy', {}, { delaySeconds: 60 })
        return ok({ order_id: job.id })
      },
    }),
    tidy: action({ handler: () => ok() }),
    sold: action({ handler: async () => ok({ sold: (await this.getService('cache').get('sold')) ?? 0 }) }),
  }
  async onPlaced(event) {
    const cache = this.getService('cache')
    await cache.set('sold', ((await cache.get('sold')) ?? 0) + 1, { ttl: 30 })
  }
  getRouter() {
    const router = new Router({ prefix: '/orders' })
    router.post('/', (ctx) => { ctx.status = 201; ctx.body = { got: ctx.request.body, by: ctx.get('x-user') } })
    router.get('/secret', () => { throw new HttpError(403, 'not yours') })
    return router
  }`,
    ),
  )
  await using plugin = await loadPlugin(folder.path)
  const placed = await plugin.call('place', { product: 'lamp' })
  assert.equal(placed.status, 'ok')
  assert.deepEqual(
    plugin.events.map(({ name, source, data }) => [name, source, data]),
    [['order.placed', 'xcore://plugins/shop', { id: plugin.jobs[0]?.id, product: 'lamp' }]],
  )
  assert.deepEqual(
    plugin.jobs.map(({ kind, name, state }) => [kind, name, state]),
    [
      ['action', 'place', 'succeeded'],
      ['event', 'order.placed', 'succeeded'],
      ['action', 'tidy', 'scheduled'],
    ],
  )
  assert.deepEqual(await plugin.call('sold'), { status: 'ok', sold: 1 })
  assert.deepEqual(await plugin.emit('order.placed', {}), [{ status: 'ok' }])
  await plugin.advance({ seconds: 31 })
  assert.deepEqual(await plugin.call('sold'), { status: 'ok', sold: 0 }, 'the entry has expired')
  await plugin.advance({ seconds: 29 })
  assert.equal(plugin.jobs.find(({ name }) => name === 'tidy')?.state, 'succeeded')

  const refused = await plugin.call('place', { product: 1 })
  assert.deepEqual(refused.status === 'error' && [refused.code, refused.status_code], ['validation_error', 422])
  const unknown = await plugin.call('steal')
  assert.deepEqual(unknown.status === 'error' && [unknown.code, unknown.status_code], ['unknown_action', 404])

  const made = await plugin.request('POST', '/orders', { body: { a: 1 }, headers: { 'X-User': 'ada' } })
  assert.deepEqual([made.status, await made.json()], [201, { got: { a: 1 }, by: 'ada' }])
  const denied = await plugin.request('GET', '/orders/secret')
  assert.equal(denied.status, 403)
  assert.deepEqual((await plugin.request('GET', '/elsewhere')).status, 404)
})

test('retries, schedules and the clock', async () => {
  await using folder = await pluginFolder(
    shop(
      'runtime: {retry: {max_attempts: 3, backoff_seconds: 60}}\n',
      `
  swept = 0
  async onLoad() {
    this.getService('scheduler').addJob({ id: 'sweep', trigger: 'interval', minutes: 5, func: this.sweep, args: [2] })
  }
  sweep(by) { this.swept += by; return ok({ swept: this.swept }) }
  async handle(name, payload, job) {
    if (name === 'shaky' && job.attempt < 3) throw new Error('not yet')
    if (name === 'dead') throw new Error('never')
    if (name === 'later' && job.attempt === 1) throw new RetryLater(3600)
    return ok({ attempt: job.attempt, swept: this.swept })
  }`,
    ),
  )
  await using plugin = await loadPlugin(folder.path, { now: new Date('2030-01-01T00:00:00Z') })
  await plugin.advance({ minutes: 11 })
  assert.deepEqual(await plugin.call('count'), { status: 'ok', attempt: 1, swept: 4 })
  assert.deepEqual(await plugin.fire('sweep'), { status: 'ok', swept: 6 })
  await assert.rejects(plugin.fire('none'), /no schedule none; it has: sweep/)
  assert.equal(plugin.now.toISOString(), '2030-01-01T00:11:00.000Z')
  const later = await plugin.call('later')
  assert.equal(later.status === 'ok' && later['attempt'], 2, 'an hour went by')
  assert.equal(plugin.now.toISOString(), '2030-01-01T01:11:00.000Z')
  const shaky = await plugin.call('shaky')
  assert.equal(shaky.status === 'ok' && shaky['attempt'], 3)
  const dead = await plugin.call('dead')
  assert.deepEqual(dead.status === 'error' && [dead.code, dead.msg, dead.status_code], ['handler_error', 'never', 500])
  assert.equal(plugin.jobs.find(({ name }) => name === 'dead')?.state, 'dead')
  assert.ok(plugin.logs.some(({ msg }) => msg === 'attempt failed'))
  await assert.rejects(plugin.advance({ seconds: -1 }), RangeError)
})

test('permissions are those of the manifest; other plugins are stand-ins or real', async () => {
  await using folder = await pluginFolder(
    shop(
      'requires: [{name: billing, version: ">=2.1"}]\npermissions:\n  - {resource: "plugin:billing", actions: [execute], effect: allow}\n',
      `
  async handle(name) {
    if (name === 'pay') return this.callPlugin('billing', 'charge', { amount: 3 })
    await this.getService('cache').set('a', 1)
  }`,
    ),
  )
  await assert.rejects(loadPlugin(folder.path), /billing/)
  const charged: unknown[] = []
  const billing = {
    charge: (payload: object) => {
      charged.push(payload)
      return ok({ receipt: 7 })
    },
  }
  await using plugin = await loadPlugin(folder.path, { plugins: { billing } })
  assert.deepEqual(await plugin.call('pay'), { status: 'ok', receipt: 7 })
  assert.deepEqual(charged, [{ amount: 3 }])
  const denied = await plugin.call('store')
  assert.deepEqual(denied.status === 'error' && [denied.code, denied.status_code], ['permission_denied', 403])
  assert.deepEqual(plugin.denials, [{ resource: 'cache.a', verb: 'write' }])
})

test('what a test must bring along is said: a database, a service, a variable', async () => {
  await using folder = await pluginFolder(
    shop(
      'env: {TOKEN: "${SHOP_TOKEN}"}\n',
      `
  onLoad() { this.db = this.getService('db') }
  async handle() { return ok({ token: this.ctx.env.TOKEN, rows: await this.db.query('select 1') }) }`,
    ),
  )
  await assert.rejects(loadPlugin(folder.path), { code: 'env_missing' })
  const env = { SHOP_TOKEN: 'abc' }
  await assert.rejects(loadPlugin(folder.path, { env }), /has no database.*embedded/)
  await assert.rejects(loadPlugin(folder.path, { env, database: 'sqlite' }), { code: 'bad_request' })
  await using plugin = await loadPlugin(folder.path, { env, services: { db: { query: async () => [{ one: 1 }] } } })
  assert.deepEqual(await plugin.call('any'), { status: 'ok', token: 'abc', rows: [{ one: 1 }] })
})

test('with a database the db service is the real one, and job.transaction keeps its promise', async () => {
  await using folder = await pluginFolder({
    ...shop(
      '',
      `
  onLoad() { this.db = this.getService('db') }
  async handle(name, payload, job) {
    if (name === 'list') return ok({ ids: (await this.db.query('select id from orders order by id')).map((row) => row.id) })
    await job.transaction(async (tx) => {
      await tx.query('insert into orders (id) values ($1)', [payload.id])
      await this.ctx.events.emit('order.placed', payload, { tx })
    })
    if (payload.fail) throw new HttpError(409, 'too late')
  }`,
    ),
    'migrations/0001_orders.sql': 'create table orders (id int primary key);',
  })
  await using database = await testDatabase({ migrated: false })
  await using plugin = await loadPlugin(folder.path, { database: database.url })
  assert.deepEqual(await plugin.call('add', { id: 1 }), { status: 'ok' })
  await plugin.call('add', { id: 2, fail: true })
  assert.deepEqual(await plugin.call('list'), { status: 'ok', ids: [1] })
  assert.deepEqual(
    plugin.events.map(({ data }) => data),
    [{ id: 1 }],
  )
})

test('a reload takes the new files, and keeps the old instance when they are broken', async () => {
  const answering = (answer: number) => shop('', `handle() { return ok({ answer: ${answer} }) }`)['src/main.ts']
  await using folder = await pluginFolder(shop('', `handle() { return ok({ answer: 1 }) }`))
  await using plugin = await loadPlugin(folder.path)
  assert.deepEqual(await plugin.call('ask'), { status: 'ok', answer: 1 })
  await writeFile(join(folder.path, 'src/main.ts'), answering(2))
  await plugin.reload()
  assert.deepEqual(await plugin.call('ask'), { status: 'ok', answer: 2 })
  await writeFile(join(folder.path, 'src/main.ts'), 'nonsense(')
  await assert.rejects(plugin.reload(), { code: 'plugin_load_failed' })
  assert.deepEqual(await plugin.call('ask'), { status: 'ok', answer: 2 })
})
