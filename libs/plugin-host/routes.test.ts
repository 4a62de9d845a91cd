import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import Koa from 'koa'
import { hostWith, pluginClass } from './testing/plugin-folder.ts'

const ITEMS = pluginClass(`
  items = new Map([['1', { id: '1' }]])
  getRouter() {
    const router = new Router({ prefix: '/items' })
    router.get('/:id', async (ctx) => { ctx.body = this.items.get(ctx.params.id) ?? ctx.throw(404) })
    router.post('/', async (ctx) => { await this.ctx.events.emit('item.created', { id: '2' }); ctx.body = { path: ctx.path }; ctx.status = 201 })
    router.get('/fails/:status', async (ctx) => { throw new HttpError(Number(ctx.params.status), 'as asked') })
    return router
  }`)

test('a plugin’s router answers at paths below its mount, 405 included, and its events carry the trace', async () => {
  await using loaded = await hostWith({
    items: {
      'plugin.yaml':
        'name: items\nversion: 1.0.0\nhttp: {auth: required}\nresources: {timeout_seconds: 4, rate_limit: {calls: 2, period_seconds: 1}}\n',
      'src/main.ts': ITEMS,
    },
    bare: pluginClass(`handle() {}`),
  })
  const routes = loaded.host.routes('items')
  assert.ok(routes)
  const { middleware, ...told } = routes
  assert.deepEqual(told, { plugin: 'items', authRequired: true, timeoutSeconds: 4, rateLimit: { calls: 2, periodSeconds: 1 } })
  assert.equal(loaded.host.routes('bare'), undefined)
  assert.equal(loaded.host.routes('nobody'), undefined)

  const app = new Koa()
  app.silent = true
  // As apps/api does: the span of the request, by whose trace the plugin's own goes on.
  app.use((ctx, next) => {
    ctx.state['traceparent'] = '00-a-b-01'
    return next()
  })
  app.use(middleware)
  const server = app.listen(0, '127.0.0.1')
  await using _closed = { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) }
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const ask = async (method: string, path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { connection: 'close' } })
    return [response.status, await response.text(), response.headers.get('allow')]
  }
  assert.deepEqual(await ask('GET', '/items/1'), [200, '{"id":"1"}', null])
  assert.deepEqual(await ask('GET', '/items/9'), [404, 'Not Found', null])
  assert.deepEqual(await ask('POST', '/items'), [201, '{"path":"/items"}', null])
  assert.deepEqual(await ask('DELETE', '/items'), [405, 'Method Not Allowed', 'POST'])
  assert.deepEqual(await ask('GET', '/elsewhere'), [404, 'Not Found', null])
  assert.deepEqual(await ask('GET', '/items/fails/409'), [409, 'as asked', null])
  assert.deepEqual(await ask('GET', '/items/fails/500'), [500, 'Internal Server Error', null])
  const [emitted] = loaded.platform.emitted
  assert.deepEqual([emitted?.traceparent, emitted?.depth, emitted?.caller, emitted?.causationId], ['00-a-b-01', 1, 'items', undefined])

  await loaded.host.unloadAll()
  assert.equal(loaded.host.routes('items'), undefined)
})
