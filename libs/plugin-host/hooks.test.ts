import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostWith, pluginClass } from './testing/plugin-folder.ts'

const SHOP = pluginClass(`
  actions = {
    buy: action({ input: Type.Object({ amount: Type.Number() }), handler: (payload) => ok({ paid: payload.amount }) }),
    refuse: action({ handler: () => error('no', { code: 'sold_out', statusCode: 409 }) }),
    crash: action({ handler: () => { throw new Error('boom') } }),
  }`)
const AUDIT = (body: string, permissions = '') => ({
  'src/main.ts': pluginClass(`
  seen = []
  onLoad() { ${body} }
  handle(name) { return ok({ seen: this.seen }) }`),
  'plugin.yaml': `name: audit\nversion: 1.0.0\n${permissions}`,
})
const seen = async (loaded: Awaited<ReturnType<typeof hostWith>>) => {
  const result = await loaded.run('audit', 'seen')
  return result.kind === 'ok' ? result.result['seen'] : undefined
}

test('before changes the payload in order, after sees and replaces the result, with the plugin as this', async () => {
  await using loaded = await hostWith({
    shop: SHOP,
    audit: AUDIT(
      `
      this.ctx.hooks.before('shop.buy', async (call) => { this.seen.push(['second', call.payload.amount]); return { payload: { amount: call.payload.amount * 2 } } }, { priority: 60 })
      this.ctx.hooks.before('shop.*', function (call) { this.seen.push(['first', call.payload.amount, call.plugin, call.action, call.job.attempt]); call.payload.amount = 1e9; return { payload: { amount: 11 } } }, { priority: 10 })
      this.ctx.hooks.after('*.buy', (call) => { this.seen.push(['after', call.result]); return ok({ ...call.result, status: undefined, audited: true }) }, { priority: 1 })
      this.ctx.hooks.after('shop.buy', (call) => { this.seen.push(['last', call.result.audited]) })`.replace(
        'ok({ ...call.result, status: undefined, audited: true })',
        'ok({ paid: call.result.paid, audited: true })',
      ),
    ),
  })
  assert.deepEqual(await loaded.run('shop', 'buy', { amount: 10 }), { kind: 'ok', result: { status: 'ok', paid: 22, audited: true } })
  assert.deepEqual(await seen(loaded), [
    ['first', 10, 'shop', 'buy', 1],
    ['second', 11],
    ['after', { status: 'ok', paid: 22 }],
    ['last', true],
  ])
})

test('a hook may refuse, see an error result, and turn it', async () => {
  await using loaded = await hostWith({
    shop: SHOP,
    audit: AUDIT(`
      this.ctx.hooks.before('shop.buy', (call) => call.payload.amount > 100 ? error('too much', { code: 'limit', statusCode: 402 }) : undefined)
      this.ctx.hooks.after('shop.refuse', (call) => ok({ was: call.result.code, status_code: call.result.status_code }))
      this.ctx.hooks.after('shop.crash', () => { this.seen.push('never') })
      this.ctx.hooks.after('shop.buy', (call) => call.payload.amount === 3 ? error('odd') : undefined)`),
  })
  assert.deepEqual(await loaded.run('shop', 'buy', { amount: 101 }), {
    kind: 'error',
    error: { code: 'limit', message: 'too much', statusCode: 402 },
    retryable: false,
  })
  assert.deepEqual(await loaded.run('shop', 'refuse'), { kind: 'ok', result: { status: 'ok', was: 'sold_out', status_code: 409 } })
  assert.equal((await loaded.run('shop', 'crash')).kind, 'threw')
  assert.equal((await loaded.run('shop', 'buy', { amount: 3 })).kind, 'error')
  assert.deepEqual(await seen(loaded), [])
})

test('a hook that throws, hangs or returns nonsense ends the attempt with a code; a changed payload is validated', async () => {
  const cases: readonly (readonly [string, string, string])[] = [
    [`before('shop.buy', () => { throw new Error('broken hook') })`, 'threw', 'handler_error'],
    [`after('shop.buy', () => { throw new Error('broken hook') })`, 'threw', 'handler_error'],
    [`before('shop.buy', () => new Promise(() => {}))`, 'threw', 'timeout'],
    [`before('shop.buy', () => 7)`, 'error', 'invalid_result'],
    [`before('shop.buy', () => ({ payload: { big: 1n } }))`, 'error', 'invalid_result'],
    [`after('shop.buy', () => 7)`, 'error', 'invalid_result'],
    [`before('shop.buy', () => ({ payload: { amount: 'x' } }))`, 'error', 'validation_error'],
  ]
  for (const [hook, kind, code] of cases) {
    await using loaded = await hostWith({ shop: SHOP, audit: AUDIT(`this.ctx.hooks.${hook}`) }, { deadlines: { hook: 20 } })
    const result = await loaded.run('shop', 'buy', { amount: 1 })
    assert.ok(result.kind !== 'ok', hook)
    assert.deepEqual([result.kind, result.error.code], [kind, code], hook)
  }
})

test('bad targets, priorities and functions are refused at once; so are plugins that may not', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [`this.ctx.hooks.before('buy', () => {})`, /expected plugin\.action/],
    [`this.ctx.hooks.before('shop.[', () => {})`, /closes/],
    [`this.ctx.hooks.after('shop.buy')`, /expected a function/],
    [`this.ctx.hooks.after('shop.buy', () => {}, { priority: 101 })`, /0 to 100/],
  ]
  for (const [body, expected] of cases) {
    await using loaded = await hostWith({ shop: SHOP, audit: AUDIT(body) })
    assert.match(loaded.host.status('audit')?.lastError?.message ?? '', expected)
  }
  const own = `permissions: [{resource: "plugin:shop", effect: deny}, {resource: "plugin:*", actions: [write]}]\n`
  await using denied = await hostWith({ shop: SHOP, audit: AUDIT(`this.ctx.hooks.before('shop.buy', () => {})`, own) })
  assert.match(denied.host.status('audit')?.lastError?.message ?? '', /may not write plugin:shop/)
  const wild = `this.ctx.hooks.before('*.*', (call) => { this.seen.push(call.plugin) })`
  await using past = await hostWith({ shop: SHOP, other: SHOP, audit: AUDIT(wild, own) })
  await past.run('shop', 'buy', { amount: 1 })
  await past.run('other', 'buy', { amount: 1 })
  assert.deepEqual(await seen(past), ['other', 'audit'])
})

test('hooks end with off, and with the plugin that made them', async () => {
  await using loaded = await hostWith({
    shop: SHOP,
    audit: AUDIT(`
      const first = this.ctx.hooks.before('shop.buy', () => error('first'))
      this.ctx.hooks.before('shop.buy', () => error('second'))
      first.off()`),
  })
  const message = async () => {
    const result = await loaded.run('shop', 'buy', { amount: 1 })
    return result.kind === 'ok' ? 'ok' : result.error.message
  }
  assert.equal(await message(), 'second')
  await loaded.host.reload('audit')
  assert.equal(await message(), 'second')
  await loaded.host.unload('audit')
  assert.equal(await message(), 'ok')
})
