import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostWith, pluginClass } from '../../testing/plugin-folder.ts'

const sandboxed = (members: string) => ({
  'plugin.yaml': 'name: shop\nversion: 1.0.0\nexecution_mode: sandboxed\n',
  'src/main.ts': pluginClass(members, `import { route } from '@xcore/sdk'`),
})

const MEMBERS = `
  override actions = {
    place: action({ description: 'Places an order', input: Type.Object({ id: Type.String() }), output: Type.Object({ n: Type.Integer() }), handler: () => ok({ n: 1 }) }),
  }
  override getRouter() {
    const router = new Router()
    router.post('/orders/:id', route({ params: Type.Object({ id: Type.String() }), body: Type.Object({ n: Type.Integer() }), status: 201, summary: 'Adds' }, () => ({ a: 1 })))
    router.all('/any', route({ query: Type.Object({ q: Type.Optional(Type.String()) }) }, () => ({})))
    router.get('/plain', (ctx) => { ctx.body = 'x' })
    return router
  }`

test('actions and routes declare what those of a trusted plugin do', async () => {
  await using t = await hostWith({ shop: sandboxed(MEMBERS), trusted: pluginClass(MEMBERS, `import { route } from '@xcore/sdk'`) })
  const [inside, here] = ['shop', 'trusted'].map((name) => t.host.status(name))
  assert.equal(inside?.state, 'ready', JSON.stringify(inside?.lastError ?? t.host.refusal('shop')))
  const shown = ['GET', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'PATCH']
  assert.deepEqual(inside?.actions, JSON.parse(JSON.stringify(here?.actions)))
  assert.deepEqual(inside?.routes, JSON.parse(JSON.stringify(here?.routes?.filter(({ method }) => shown.includes(method)))))
  assert.deepEqual([inside?.routes?.[0]?.path, inside?.routes?.[0]?.status, inside?.routes?.length], ['/orders/:id', 201, 7])
})

const nested = `let deep = {}; for (let n = 0; n < 5000; n += 1) deep = { properties: { a: deep } };`
const HOSTILE: Readonly<Record<string, string>> = {
  'a name that no URL can hold': `override actions = { ['\\ud800']: action({ handler: () => ok() }) }`,
  'a name with a slash': `override actions = { 'a/b': action({ handler: () => ok() }) }`,
  'a schema that JSONB refuses': `override actions = { a: action({ input: Type.Object({}, { title: 'a\\u0000b' }), handler: () => ok() }) }`,
  'a schema with __proto__': `override actions = { a: action({ input: JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"}}}'), handler: () => ok() }) }`,
  'a description that is no text': `override actions = { a: action({ description: '\\udfff', handler: () => ok() }) }`,
  'a schema without end': `override onLoad() { ${nested} this.actions = { a: action({ input: deep, handler: () => ok() }) } }`,
  'schemas of megabytes': `override actions = { a: action({ input: Type.Object({}, { title: 'x'.repeat(3e6) }), handler: () => ok() }) }`,
}
for (const [name, members] of Object.entries(HOSTILE)) {
  test(`refused: ${name}`, async () => {
    await using t = await hostWith({ shop: sandboxed(members), other: pluginClass('handle() { return ok() }') })
    assert.match(t.host.refusal('shop')?.code ?? 'ready', /plugin_load_failed|sandbox_protocol_error|sandbox_boot_failed/)
    assert.equal((await t.run('other', 'ping')).kind, 'ok')
  })
}
