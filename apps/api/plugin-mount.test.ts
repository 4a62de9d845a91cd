import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Router } from '@koa/router'
import type { Middleware } from 'koa'
import { XCoreError } from '../../libs/errors/index.ts'
import { pluginName } from '../../libs/event-log/index.ts'
import type { PluginRoutes } from '../../libs/plugin-host/port.ts'
import type { ApiDeps } from './deps.ts'
import { jsonOf, startApi, testDeps } from './testing/start-api.ts'

/** Like the host: the router adds its own members to the context, so it takes any. */
function middlewareOf(router: Router): Middleware {
  const routes: unknown = router.routes()
  if (!isMiddleware(routes)) throw new TypeError('expected a middleware')
  return routes
}

function isMiddleware(value: unknown): value is Middleware {
  return typeof value === 'function'
}

/** A host with one plugin, `shop`, that has these routes; and `broken`, which was refused. */
function hostOf(router: Router, overrides: Partial<PluginRoutes> = {}): Pick<ApiDeps, 'host'> {
  const routes: PluginRoutes = {
    plugin: pluginName('shop'),
    authRequired: false,
    timeoutSeconds: 5,
    rateLimit: null,
    middleware: middlewareOf(router),
    ...overrides,
  }
  const refusal = { code: 'env_missing', message: 'API_KEY is not set.' }
  return {
    host: {
      ...testDeps().host,
      routes: (name) => (name === 'shop' ? routes : undefined),
      refusal: (name) => (name === 'broken' ? refusal : undefined),
    },
  }
}

test('paths are relative to the mount', async () => {
  const router = new Router({ prefix: '/items' })
  router.get('/', (ctx) => void (ctx.body = 'list'))
  router.get('/:id', (ctx) => void (ctx.body = { id: ctx.params['id'], q: ctx.query['q'], original: ctx.originalUrl, path: ctx.path }))
  await using api = await startApi(hostOf(router))
  assert.equal(await (await api.request('/plugins/shop/items')).text(), 'list')
  assert.deepEqual(await jsonOf(await api.request('/plugins/shop/items/a%2Fb?q=1')), {
    id: 'a/b',
    q: '1',
    original: '/plugins/shop/items/a%2Fb?q=1',
    path: '/items/a%2Fb',
  })
  assert.deepEqual(api.observed[0], { method: 'GET', route: '/plugins/:name/*', status: '200' })
})

test('bodies are parsed by their type, and the bytes are kept', async () => {
  const router = new Router()
  router.post('/echo', (ctx) => void (ctx.body = { body: ctx.request.body ?? null, raw: ctx.request.rawBody?.toString() ?? null }))
  await using api = await startApi(hostOf(router))
  const echo = async (body: string | undefined, type: string) =>
    jsonOf(
      await api.request('/plugins/shop/echo', { method: 'POST', headers: { 'content-type': type }, ...(body !== undefined && { body }) }),
    )
  assert.deepEqual(await echo('{ "a":1 }', 'application/json'), { body: { a: 1 }, raw: '{ "a":1 }' })
  assert.deepEqual(await echo('a=1&b=x+y&b=%C3%A9', 'application/x-www-form-urlencoded'), {
    body: { a: '1', b: ['x y', 'é'] },
    raw: 'a=1&b=x+y&b=%C3%A9',
  })
  assert.deepEqual(await echo('hi', 'text/plain'), { body: 'hi', raw: 'hi' })
  assert.deepEqual(await echo('hi', 'application/octet-stream'), { body: null, raw: 'hi' })
  assert.deepEqual(await echo(undefined, 'application/json'), { body: null, raw: null })
  assert.equal((await echo('{"__proto__":1}', 'application/json'))['code'], 'invalid_json')
  assert.equal((await echo('__proto__=1', 'application/x-www-form-urlencoded'))['code'], 'bad_request')
  assert.equal((await echo('x'.repeat(5000), 'text/plain'))['code'], 'payload_too_large')
})

test('what a route throws on purpose keeps its status', async () => {
  const router = new Router()
  router.get('/missing', (ctx) => ctx.throw(404))
  router.get('/teapot', (ctx) => ctx.throw(418, 'short and stout', { code: 'teapot', details: { cups: 2 }, headers: { 'x-tea': 'yes' } }))
  router.get('/invalid', () => {
    throw Object.assign(new Error('/a is wrong'), {
      status: 422,
      expose: true,
      code: 'validation_error',
      details: [{ path: '/a', message: 'is wrong' }],
    })
  })
  router.get('/away', (ctx) => ctx.throw(503, 'secret'))
  router.get('/bare', (ctx) => void (ctx.status = 403))
  router.get('/own', (ctx) => Object.assign(ctx, { status: 409, body: { my: 'error' } }))
  await using api = await startApi(hostOf(router))
  const get = async (path: string) => {
    const response = await api.request(`/plugins/shop${path}`)
    return { status: response.status, headers: response.headers, body: await jsonOf(response) }
  }
  assert.equal((await get('/missing')).body['code'], 'not_found')
  const teapot = await get('/teapot')
  assert.deepEqual(
    [teapot.status, teapot.body['code'], teapot.body['detail'], teapot.headers.get('x-tea')],
    [418, 'teapot', 'short and stout', 'yes'],
  )
  assert.deepEqual(teapot.body['details'], { cups: 2 })
  assert.deepEqual((await get('/invalid')).body['errors'], [{ path: '/a', message: 'is wrong' }])
  const away = await get('/away')
  assert.equal(away.status, 503)
  assert.doesNotMatch(JSON.stringify(away.body), /secret/)
  assert.equal((await get('/bare')).body['code'], 'permission_denied')
  assert.deepEqual((await get('/own')).body, { my: 'error' })
})

test('what a route throws by mistake is a 500 that reveals nothing', async () => {
  const router = new Router()
  router.get('/error', () => {
    throw new Error('secret cause')
  })
  router.get('/string', () => Promise.reject('secret cause'))
  router.get('/undefined', () => Promise.reject(undefined))
  router.get('/away', () => Promise.reject(new XCoreError('database_unavailable', 'secret address')))
  router.get('/circular', (ctx) => {
    const body: Record<string, unknown> = {}
    body['self'] = body
    ctx.body = body
  })
  await using api = await startApi(hostOf(router))
  for (const path of ['/error', '/string', '/undefined', '/circular']) {
    const response = await api.request(`/plugins/shop${path}`)
    assert.equal(response.status, 500, path)
    assert.doesNotMatch(await response.text(), /secret|at file/)
  }
  const away = await api.request('/plugins/shop/away')
  assert.equal(away.status, 503)
  assert.doesNotMatch(await away.text(), /secret/)
  const line = api.log.find((entry) => entry['msg'] === 'request failed')
  assert.equal(line?.['plugin'], 'shop')
  assert.match(JSON.stringify(line), /secret cause/)
})

test('a route that hangs is a 504, and what it writes later reaches nobody', async () => {
  const release = Promise.withResolvers<void>()
  const wrote = Promise.withResolvers<void>()
  const router = new Router()
  router.get('/hang', async (ctx) => {
    await release.promise
    ctx.set('x-late', 'yes')
    ctx.body = 'late'
    wrote.resolve()
    throw new Error('late too')
  })
  await using api = await startApi(hostOf(router, { timeoutSeconds: 0.05 }))
  const response = await api.request('/plugins/shop/hang')
  assert.equal(response.status, 504)
  assert.equal((await jsonOf(response))['code'], 'timeout')
  release.resolve()
  await wrote.promise
  assert.equal((await api.request('/livez')).status, 200)
  assert.deepEqual(api.observed[0], { method: 'GET', route: '/plugins/:name/*', status: '504' })
})

test('methods', async () => {
  const router = new Router()
  router.get('/thing', (ctx) => void (ctx.body = 'x'))
  router.delete('/thing', (ctx) => void (ctx.status = 204))
  await using api = await startApi(hostOf(router))
  const head = await api.request('/plugins/shop/thing', { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers.get('content-length')], [200, '1'])
  const put = await api.request('/plugins/shop/thing', { method: 'PUT' })
  assert.equal(put.status, 405)
  assert.match(put.headers.get('allow') ?? '', /GET/)
  assert.equal((await api.request('/plugins/shop/thing', { method: 'OPTIONS' })).status, 204)
  assert.equal((await api.request('/plugins/shop/thing', { method: 'DELETE' })).status, 204)
})

test('a plugin that is not there, refused, or without that route', async () => {
  await using api = await startApi(hostOf(new Router()))
  const cases: readonly [string, number, string][] = [
    ['/plugins/nobody/x', 404, 'not_found'],
    ['/plugins/shop', 404, 'not_found'],
    ['/plugins/shop/none', 404, 'not_found'],
    ['/plugins/', 404, 'not_found'],
    ['/plugins', 404, 'not_found'],
    ['/plugins/broken/x', 503, 'not_ready'],
  ]
  for (const [path, status, code] of cases) {
    const response = await api.request(path)
    assert.equal(response.status, status, path)
    assert.equal((await jsonOf(response))['code'], code, path)
    assert.equal(response.headers.has('retry-after'), status === 503)
  }
})

test('routes share the rate limit of the plugin', async () => {
  const router = new Router()
  router.get('/', (ctx) => void (ctx.body = 'x'))
  let tokens = 2
  const rateTokens: ApiDeps['rateTokens'] = { take: async () => ({ granted: tokens-- > 0 ? 1 : 0, retryAfterSeconds: 7.2 }) }
  await using api = await startApi({ ...hostOf(router, { rateLimit: { calls: 2, periodSeconds: 10 } }), rateTokens })
  assert.deepEqual([(await api.request('/plugins/shop')).status, (await api.request('/plugins/shop')).status], [200, 200])
  const limited = await api.request('/plugins/shop')
  assert.equal(limited.status, 429)
  assert.equal(limited.headers.get('retry-after'), '8')
  assert.equal((await jsonOf(limited))['code'], 'rate_limit_exceeded')
})

test('routes are public unless the manifest wants a key', async () => {
  const router = new Router()
  router.get('/', (ctx) => void (ctx.body = 'x'))
  const auth = { keys: [{ name: 'a', scopes: ['call' as const], key: 'k1' }] }
  await using open = await startApi({ ...hostOf(router), auth })
  assert.equal((await open.request('/plugins/shop')).status, 200)
  await using closed = await startApi({ ...hostOf(router, { authRequired: true }), auth })
  assert.equal((await closed.request('/plugins/shop')).status, 401)
  assert.equal((await closed.request('/plugins/shop', { headers: { 'x-plugin-key': 'k1' } })).status, 200)
})
