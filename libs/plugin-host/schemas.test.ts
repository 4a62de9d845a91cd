import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventId } from '../event-log/index.ts'
import { hostWith, pluginClass } from './testing/plugin-folder.ts'

test('a result must fit the action’s output; errors and throws pass', async () => {
  await using loaded = await hostWith({
    shop: pluginClass(`
  actions = {
    total: action({
      input: Type.Object({ how: Type.String() }),
      output: Type.Object({ total: Type.Integer(), at: Type.Optional(Type.String()) }, { additionalProperties: false }),
      handler: async ({ how }) => {
        if (how === 'ok') return ok({ total: 3, at: new Date(0) })
        if (how === 'bare') return { total: 4 }
        if (how === 'wrong') return ok({ total: 'many' })
        if (how === 'more') return ok({ total: 1, extra: 2 })
        if (how === 'nothing') return
        if (how === 'retry') return error('later', { retryable: true, retryAfterSeconds: 9 })
        throw new Error('boom')
      },
    }),
  }`),
  })
  const run = (how: string) => loaded.run('shop', 'total', { how })
  assert.deepEqual(await run('ok'), { kind: 'ok', result: { status: 'ok', total: 3, at: '1970-01-01T00:00:00.000Z' } })
  assert.deepEqual(await run('bare'), { kind: 'ok', result: { status: 'ok', total: 4 } })
  const wrong = await run('wrong')
  assert.deepEqual(wrong.kind === 'error' && [wrong.error.code, wrong.retryable, wrong.error.details], [
    'invalid_result',
    false,
    [{ path: '/result/total', message: 'must be integer, found "many"' }],
  ])
  for (const how of ['more', 'nothing']) {
    const result = await run(how)
    assert.equal(result.kind === 'error' && result.error.code, 'invalid_result', how)
  }
  const retry = await run('retry')
  assert.deepEqual(retry.kind === 'error' && [retry.retryable, retry.retryAfterSeconds], [true, 9])
  assert.equal((await run('boom')).kind, 'threw')
  assert.deepEqual(Object.keys(loaded.host.status('shop')?.actions[0]?.output ?? {}).length > 0, true)
})

test('an event that does not fit the subscription’s schema fails its delivery for good; the handler keeps its this', async () => {
  await using loaded = await hostWith({
    mail: pluginClass(`
  sent = []
  onLoad() {
    this.ctx.events.on('user.created', this.welcome, { id: 'welcome', schema: Type.Object({ email: Type.String() }) })
  }
  welcome(event) { this.sent.push(event.data.email); return { sent: this.sent } }`),
    bad: pluginClass(`onLoad() { this.ctx.events.on('a', () => {}, { schema: 'text' }) }`),
  })
  const deliver = (payload: object) =>
    loaded.run('mail', 'user.created', JSON.parse(JSON.stringify(payload)), {
      kind: 'event',
      meta: { event: { id: eventId('e'), source: 'test', time: '2030-01-01T00:00:00Z', subscription: 'welcome' } },
    })
  assert.deepEqual(await deliver({ email: 'a@b.c' }), { kind: 'ok', result: { status: 'ok', sent: ['a@b.c'] } })
  const refused = await deliver({ email: 7 })
  assert.deepEqual(refused.kind === 'error' && [refused.error.code, refused.retryable, refused.error.details], [
    'validation_error',
    false,
    [{ path: '/data/email', message: 'must be string, found 7' }],
  ])
  assert.match(loaded.host.refusal('bad')?.message ?? '', /events\.on: the schema of a: expected a schema such as Type\.Object/)
})

test('routes made by route() are listed with their schemas', async () => {
  await using loaded = await hostWith({
    shop: pluginClass(
      `
  getRouter() {
    const router = new Router({ prefix: '/orders' })
    router.get('/:id', route({ params: Type.Object({ id: Type.Integer() }), summary: 'One order' }, (ctx, { params }) => ({ id: params.id })))
    router.post('/', route({ body: Type.Object({ a: Type.String() }), status: 201, response: Type.Object({ id: Type.Integer() }) }, () => ({ id: 1 })))
    router.get('/plain', (ctx) => { ctx.body = 'x' })
    return router
  }`,
      `import { route } from '@xcore/sdk'`,
    ),
  })
  assert.deepEqual(
    loaded.host
      .status('shop')
      ?.routes?.map(({ method, path, status, summary, params, body }) => [method, path, status, summary, params !== null, body !== null]),
    [
      ['GET', '/orders/:id', 200, 'One order', true, false],
      ['POST', '/orders', 201, undefined, false, true],
    ],
  )
})
