import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import Koa from 'koa'
import { hostWith, pluginClass } from '../../libs/plugin-host/testing/plugin-folder.ts'
import type { TestHost } from '../../libs/plugin-host/testing/plugin-folder.ts'

// What a plugin answers is shown by browsers, proxies and terminals that trust the host.
const PLUGIN = pluginClass(`
  override handle(name: string) {
    const hostile = 'a\\u001b[2J\\u001b]0;owned\\u0007\\r\\n{"level":"error","msg":"forged"}\\u202e'
    if (name === 'throw') throw Object.assign(new Error(hostile), { stack: hostile })
    if (name !== 'log') return ok()
    this.logger.info({ [hostile]: 1, plugin: 'other', job: 'forged', level: 60 }, hostile)
    console.log(hostile)
    const error = new Error('x'); error.stack = hostile; this.logger.error({ err: error }, 'an error')
    return ok()
  }
  override getRouter() {
    const router = new Router()
    const own = (ctx, headers) => { for (const [name, value] of Object.entries(headers)) ctx.res.setHeader(name, value); ctx.body = '<script>1</script>'; ctx.type = 'text/html' }
    router.get('/split', (ctx) => own(ctx, { 'x-a': 'b\\r\\nset-cookie: evil=1', 'x b': '1', 'x-\\u0000': '1', 'x-c': 'ü\\ud800' }))
    router.get('/origin', (ctx) => own(ctx, { 'alt-svc': 'h2="evil:443"', 'strict-transport-security': 'max-age=1', 'clear-site-data': '"*"', 'service-worker-allowed': '/', 'report-to': '{}', 'content-security-policy': "default-src *" }))
    router.get('/smuggle', (ctx) => own(ctx, { 'content-length': '3', 'transfer-encoding': 'chunked', connection: 'upgrade', upgrade: 'h2c' }))
    router.get('/status', (ctx) => { ctx.res.statusCode = 101; ctx.body = 'x' })
    router.get('/deep', () => { let deep = {}; for (let n = 0; n < 60; n += 1) deep = { deep }; throw new HttpError(400, 'no', { details: deep }) })
    return router
  }`)

describe('what a sandboxed plugin answers', () => {
  let t: TestHost
  let base = ''
  const stack = new AsyncDisposableStack()
  before(async () => {
    const manifest = 'name: web\nversion: 1.0.0\nexecution_mode: sandboxed\n'
    t = stack.use(await hostWith({ web: { 'plugin.yaml': manifest, 'src/main.ts': PLUGIN } }))
    const routes = t.host.routes('web')
    assert.ok(routes !== undefined, JSON.stringify(t.host.refusal('web')))
    const app = new Koa()
    app.silent = true
    app.use(routes.middleware)
    const server = app.listen(0, '127.0.0.1')
    stack.defer(() => void server.close(() => {}).closeAllConnections())
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    base = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  })
  after(() => stack.disposeAsync())

  test('no header splits an answer', async () => {
    const answer = await fetch(`${base}/split`)
    assert.equal(answer.headers.get('set-cookie'), null)
    assert.deepEqual(
      [...answer.headers.keys()].filter((name) => name.startsWith('x-') && name !== 'x-content-type-options'),
      [],
    )
  })

  test('a page has an origin of its own, and no header speaks for the whole one of the host', async () => {
    const { headers } = await fetch(`${base}/origin`)
    for (const name of ['alt-svc', 'strict-transport-security', 'clear-site-data', 'service-worker-allowed', 'report-to'])
      assert.equal(headers.get(name), null, name)
    assert.match(headers.get('content-security-policy') ?? '', /default-src \*, sandbox (?!.*allow-same-origin)/)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
  })

  test('how the connection is used is not its to say', async () => {
    const answer = await fetch(`${base}/smuggle`)
    assert.equal(await answer.text(), '<script>1</script>')
    assert.notEqual((await fetch(`${base}/status`)).status, 101)
    assert.equal((await fetch(`${base}/deep`)).status < 600, true)
  })

  test('an error of it can be shown in a terminal', async () => {
    const threw = await t.run('web', 'throw')
    assert.ok(threw.kind === 'threw')
    assert.match(threw.error.message, /^a\uFFFD/)
    assert.doesNotMatch(threw.error.message + threw.error.stack, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/)
  })

  test('its lines in the log are its own, and no terminal obeys them', async () => {
    assert.equal((await t.run('web', 'log')).kind, 'ok')
    await t.run('web', 'ping')
    const lines = t.lines.filter((line) => JSON.stringify(line).includes('forged') || line['msg'] === 'an error')
    assert.ok(lines.length >= 2)
    for (const line of lines) {
      assert.equal(line['plugin'], 'web')
      assert.notEqual(line['job'], 'forged')
      const { message: _own, ...err } = Object(line['err'])
      const texts = [...Object.keys(line), line['msg'], err.stack].join('')
      assert.doesNotMatch(texts, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/)
      assert.doesNotMatch(texts, /\n(?! {4})/)
    }
  })
})
