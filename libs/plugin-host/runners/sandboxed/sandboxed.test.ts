import assert from 'node:assert/strict'
import { test } from 'node:test'
import Koa from 'koa'
import { filesService } from '../../../services/files/index.ts'
import { hostWith, pluginClass } from '../../testing/plugin-folder.ts'
import type { TestHost } from '../../testing/plugin-folder.ts'
import { live } from './host/launch.ts'

const manifest = (name: string, more = '') => `name: ${name}\nversion: 1.0.0\nexecution_mode: sandboxed\n${more}`
const sandboxed = (name: string, members: string, more = '', head = '') => ({
  [name]: { 'plugin.yaml': manifest(name, more), 'src/main.ts': pluginClass(members, head) },
})

function ready(t: TestHost, plugin: string): void {
  assert.equal(t.host.refusal(plugin), undefined, JSON.stringify(t.host.refusal(plugin)))
}

test('actions, results, errors and the job context are those of a trusted plugin', async () => {
  await using t = await hostWith(
    sandboxed(
      'echo',
      `
      override actions = {
        echo: action({ input: Type.Object({ text: Type.String({ minLength: 2, pattern: '^h' }) }), handler: async (payload, job) => ok({ text: payload.text, job: [job.id, job.attempt, job.maxAttempts, job.isReplay, job.correlationId, job.deadline instanceof Date, this.ctx.name, this.ctx.env.COLOUR, this.ctx.config.size] }) }),
      }
      override async handle(name: string) {
        switch (name) {
          case 'boom': throw new Error('boom')
          case 'later': throw new RetryLater(7, 'not now')
          case 'discard': throw new Discard('never')
          case 'refused': return error('no', { code: 'own_code', statusCode: 418, retryable: true, retryAfterSeconds: 3 })
          case 'log': this.logger.warn({ a: 1 }, 'hello'); this.ctx.metrics.increment('things'); return
          case 'cycle': { const a: Record<string, unknown> = {}; a.a = a; return a }
          default: return error('no ' + name, { code: 'unknown_action' })
        }
      }`,
      'env: {COLOUR: blue}\nconfig: {size: 3}\n',
    ),
  )
  ready(t, 'echo')
  const result = await t.run('echo', 'echo', { text: 'hi' })
  assert.equal(result.kind, 'ok')
  const job = result.kind === 'ok' ? result.result['job'] : undefined
  assert.ok(Array.isArray(job))
  assert.deepEqual(job.slice(1, 4), [1, 3, false])
  assert.deepEqual(job.slice(5), [true, 'echo', 'blue', 3])
  assert.deepEqual(t.host.find('echo')?.accepts('echo', { text: 'h' }).ok, false)
  // A pattern is checked inside only.
  assert.deepEqual(t.host.find('echo')?.accepts('echo', { text: 'no' }), { ok: true })
  const bad = await t.run('echo', 'echo', { text: 'no' })
  assert.equal(bad.kind === 'error' && bad.error.code, 'validation_error')
  const boom = await t.run('echo', 'boom')
  assert.deepEqual(boom.kind === 'threw' && [boom.error.code, boom.error.message, /main\.ts:\d+/.test(boom.error.stack ?? '')], [
    'handler_error',
    'boom',
    true,
  ])
  const later = await t.run('echo', 'later')
  assert.equal(later.kind === 'threw' && later.retryAfterSeconds, 7)
  const discard = await t.run('echo', 'discard')
  assert.equal(discard.kind === 'threw' && discard.final, true)
  const refused = await t.run('echo', 'refused')
  assert.deepEqual(refused, {
    kind: 'error',
    error: { code: 'own_code', message: 'no', statusCode: 418 },
    retryable: true,
    retryAfterSeconds: 3,
  })
  const cycle = await t.run('echo', 'cycle')
  assert.equal(cycle.kind === 'error' && cycle.error.code, 'invalid_result')
  await t.run('echo', 'log')
  const line = t.lines.find((each) => each['msg'] === 'hello')
  assert.deepEqual([line?.['a'], line?.['plugin'], line?.['level']], [1, 'echo', 40])
  assert.equal(t.host.status('echo')?.sandbox?.state, 'ready')
})

test('events, calls and enqueues go through the host, within the manifest', async () => {
  await using t = await hostWith({
    ...sandboxed(
      'shop',
      `
      heard: unknown[] = []
      override onLoad() { this.ctx.events.on('order.*', (event: { name: string, data: unknown }) => { this.heard.push([event.name, event.data]) }, { priority: 80 }) }
      override async handle(name: string, payload: Record<string, string>) {
        switch (name) {
          case 'emit': return ok({ id: await this.ctx.events.emit(payload.event, { n: 1 }) })
          case 'heard': return ok({ heard: this.heard })
          case 'call': return ok({ answer: await this.callPlugin(payload.plugin, 'ping', { a: 1 }) })
          case 'enqueue': return ok({ id: await this.enqueue(payload.plugin, 'ping', {}) })
          case 'on': await this.ctx.events.on(payload.pattern, () => {}).ready; return
        }
      }`,
      `permissions:\n  - {resource: "events:order.secret", effect: deny}\n  - {resource: "events:order.*"}\n  - {resource: "plugin:other", actions: [execute]}\n`,
    ),
    other: pluginClass(`handle(name, payload, job) { return name === 'ping' ? ok({ payload }) : error('no') }`),
  })
  ready(t, 'shop')
  assert.deepEqual(
    t.host.status('shop')?.subscriptions.map(({ pattern, priority }) => [pattern, priority]),
    [['order.*', 80]],
  )
  const emitted = await t.run('shop', 'emit', { event: 'order.paid' })
  assert.equal(emitted.kind, 'ok')
  await t.platform.settled()
  const heard = await t.run('shop', 'heard')
  assert.deepEqual(heard.kind === 'ok' && heard.result['heard'], [['order.paid', { n: 1 }]])
  const call = await t.run('shop', 'call', { plugin: 'other' })
  assert.deepEqual(call.kind === 'ok' && call.result['answer'], { status: 'ok', payload: { a: 1 } })
  assert.equal((await t.run('shop', 'enqueue', { plugin: 'other' })).kind, 'ok')
  assert.deepEqual(
    t.platform.submitted.map(({ plugin, caller, depth }) => [plugin, caller, depth]),
    [
      ['other', 'shop', 1],
      ['other', 'shop', 1],
    ],
  )
  for (const [action, payload] of [
    ['emit', { event: 'user.created' }],
    ['emit', { event: 'order.secret' }],
    ['enqueue', { plugin: 'third' }],
    ['on', { pattern: '*' }],
  ] as const) {
    const denied = await t.run('shop', action, payload)
    assert.equal(denied.kind !== 'ok' && denied.kind !== 'interrupted' && denied.error.code, 'permission_denied', action)
  }
})

test('routes are served from inside', async () => {
  await using t = await hostWith(
    sandboxed(
      'web',
      `
      override getRouter() {
        const router = new Router()
        router.get('/items/:id', (ctx) => { ctx.body = { id: ctx.params.id, q: ctx.query.q, at: ctx.get('x-own'), secret: ctx.get('authorization'), path: ctx.path }; ctx.set('x-answer', 'yes') })
        router.post('/items', (ctx) => { ctx.status = 201; ctx.body = { got: ctx.request.body, raw: ctx.request.rawBody?.length } })
        router.get('/missing', (ctx) => ctx.throw(404, 'not here'))
        router.get('/boom', () => { throw new Error('inner secret') })
        router.get('/text', (ctx) => { ctx.type = 'text/plain'; ctx.body = 'plain' })
        router.get('/redirect', (ctx) => ctx.redirect('/elsewhere'))
        router.get('/teapot', () => { throw new HttpError(418, 'short', { code: 'teapot', details: { a: 1 } }) })
        return router
      }`,
    ),
  )
  ready(t, 'web')
  const routes = t.host.routes('web')
  assert.ok(routes !== undefined)
  const app = new Koa()
  app.silent = true
  app.use(async (ctx, next) => {
    if (ctx.method === 'POST') Object.assign(ctx.request, { rawBody: Buffer.from('{"a":1}'), body: { a: 1 } })
    try {
      await routes.middleware(ctx, next)
    } catch (thrown) {
      ctx.status = thrown instanceof Error && 'status' in thrown ? Number(thrown.status) : 500
      ctx.body = { thrown: thrown instanceof Error ? thrown.message : '' }
    }
  })
  const server = app.listen(0, '127.0.0.1')
  try {
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    const base = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
    const item = await fetch(`${base}/items/7?q=x`, { headers: { 'x-own': 'here', authorization: 'Bearer key' } })
    assert.equal(item.headers.get('x-answer'), 'yes', `${item.status} ${await item.clone().text()} ${JSON.stringify(t.lines)}`)
    assert.match(item.headers.get('content-type') ?? '', /json/)
    assert.deepEqual(await item.json(), { id: '7', q: 'x', at: 'here', secret: '', path: '/items/7' })
    const made = await fetch(`${base}/items`, { method: 'POST' })
    assert.equal(made.status, 201)
    assert.deepEqual(await made.json(), { got: { a: 1 }, raw: 7 })
    assert.deepEqual(await (await fetch(`${base}/missing`)).json(), { thrown: 'not here' })
    assert.equal((await fetch(`${base}/nothing`)).status, 404)
    const boom = await fetch(`${base}/boom`)
    assert.equal(boom.status, 500)
    assert.equal(await (await fetch(`${base}/text`)).text(), 'plain')
    const redirect = await fetch(`${base}/redirect`, { redirect: 'manual' })
    assert.deepEqual([redirect.status, redirect.headers.get('location')], [302, '/elsewhere'])
    assert.equal((await fetch(`${base}/teapot`)).status, 418)
  } finally {
    server.close()
    server.closeAllConnections()
  }
})

test('files: inside its own folder, within the quota', async () => {
  await using t = await hostWith(
    sandboxed(
      'disk',
      `
      override async handle(name: string, payload: { path: string, text?: string }) {
        const files = this.getService('files')
        switch (name) {
          case 'write': await files.write(payload.path, payload.text ?? 'x'.repeat(600_000)); return ok({ usage: await files.usage() })
          case 'read': return ok({ text: await files.readText(payload.path), is: Buffer.isBuffer(await files.read(payload.path)) })
          case 'list': return ok({ list: await files.list() })
        }
      }`,
      'permissions:\n  - {resource: "fs:data/private/*", effect: deny}\n  - {resource: "fs:data/*"}\n  - {resource: "fs:data"}\nresources: {max_disk_mb: 1}\n',
    ),
    { services: { files: filesService } },
  )
  ready(t, 'disk')
  assert.equal((await t.run('disk', 'write', { path: 'a/b.txt', text: 'hello' })).kind, 'ok')
  assert.deepEqual(await t.run('disk', 'read', { path: 'a/b.txt' }), { kind: 'ok', result: { status: 'ok', text: 'hello', is: true } })
  const codes = []
  for (const path of ['../x', '/etc/passwd', 'a/../../x', 'private/x']) {
    const result = await t.run('disk', 'write', { path, text: '' })
    codes.push(result.kind === 'threw' ? result.error.code : result.kind)
  }
  assert.deepEqual(codes, ['permission_denied', 'permission_denied', 'permission_denied', 'permission_denied'])
  assert.equal((await t.run('disk', 'write', { path: 'big' })).kind, 'ok')
  const full = await t.run('disk', 'write', { path: 'big2' })
  assert.equal(full.kind === 'threw' && full.error.code, 'quota_exceeded')
})

test('limits: a blocked loop, memory, a crash; then it serves again', async () => {
  await using t = await hostWith(
    sandboxed(
      'bad',
      `
      override async handle(name: string) {
        switch (name) {
          case 'spin': for (;;) {}
          case 'memory': { const all = []; for (;;) { all.push(Buffer.alloc(1_000_000, 1)); await null } }
          case 'exit': process.exit(3)
          case 'wait': await new Promise((resolve) => setTimeout(resolve, 300)); return ok({ waited: true })
          case 'ping': return ok()
        }
      }`,
      'resources: {max_memory_mb: 64}\n',
    ),
  )
  ready(t, 'bad')
  const soon = () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(new DOMException('time is up', 'TimeoutError')), 100)
    return { signal: controller.signal }
  }
  const code = async (name: string, invocation = {}) => {
    const result = await t.run('bad', name, {}, {}, invocation)
    return result.kind === 'ok' ? 'ok' : result.error.code
  }
  assert.equal(await code('spin', soon()), 'timeout')
  assert.equal(await code('ping'), 'ok')
  assert.equal(await code('memory'), 'memory_exceeded')
  assert.equal(await code('ping'), 'ok')
  assert.equal(await code('exit'), 'sandbox_crashed')
  assert.equal(await code('ping'), 'ok')
  // Two that share it: neither is to blame.
  assert.deepEqual(await Promise.all([code('exit'), code('wait')]), ['sandbox_interrupted', 'sandbox_interrupted'])
  assert.equal(t.host.status('bad')?.sandbox?.failures, 1)
  assert.equal(await code('ping'), 'ok')
  assert.equal(live.size, 1)
})

test('no process is left', () => {
  assert.equal(live.size, 0)
})
