import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AskedDenial } from './permissions/denial-log.ts'
import { hostWith, pluginClass } from './testing/plugin-folder.ts'

const SHOP = pluginClass(`
  heard = []
  onLoad() { this.ctx.events.on('order.*', (event) => { this.heard.push(event.name) }) }
  async handle(name, payload) {
    switch (name) {
      case 'service': return ok({ service: this.getService(payload.service) })
      case 'emit': return ok({ id: await this.ctx.events.emit(payload.event) })
      case 'on': this.ctx.events.on(payload.pattern, () => {}); return
      case 'call': return await this.callPlugin(payload.plugin, 'ping')
      case 'enqueue': return ok({ id: await this.enqueue(payload.plugin, 'ping') })
      case 'fetch': return ok({ text: await (await fetch(payload.url)).text() })
      case 'own fetch': return ok({ text: await (await this.fetch(payload.url, { method: 'POST' })).text() })
      case 'ping': return ok({ heard: this.heard })
    }
  }`).replace('import { Discard', 'import { fetch, Discard')

const manifest = (permissions: string) => `name: shop\nversion: 1.0.0\npermissions:\n${permissions}`
const RULES = `
  - {resource: "events:order.secret", effect: deny}
  - {resource: "events:order.*", actions: [emit, subscribe]}
  - {resource: "plugin:other", actions: [execute]}
  - {resource: "service:clock"}
  - {resource: "net:127.0.0.1", actions: [read]}
`
const services = { db: () => 'db', cache: () => 'cache', clock: () => 'clock', mail: () => 'mail' }

function shopWith(rules: string, denials: AskedDenial[] = []) {
  const other = pluginClass(`handle() { return ok() }`)
  return hostWith(
    { shop: { 'src/main.ts': SHOP, 'plugin.yaml': manifest(rules) }, other },
    { services, onDenied: (denial) => denials.push(denial) },
  )
}

test('what the manifest does not allow is a final permission_denied, told with the job that asked', async () => {
  const denials: AskedDenial[] = []
  await using loaded = await shopWith(RULES, denials)
  const attempts: readonly (readonly [string, object, string, string])[] = [
    ['service', { service: 'mail' }, 'service:mail', 'execute'],
    ['emit', { event: 'order.secret' }, 'events:order.secret', 'emit'],
    ['emit', { event: 'user.created' }, 'events:user.created', 'emit'],
    ['on', { pattern: '*' }, 'events:*', 'subscribe'],
    ['call', { plugin: 'third' }, 'plugin:third', 'execute'],
    ['enqueue', { plugin: 'third' }, 'plugin:third', 'execute'],
    ['fetch', { url: 'http://10.0.0.1/' }, 'net:10.0.0.1', 'read'],
    ['own fetch', { url: 'http://127.0.0.1:1/' }, 'net:127.0.0.1', 'write'],
  ]
  for (const [action, payload, resource, verb] of attempts) {
    denials.length = 0
    const result = await loaded.run('shop', action, { ...payload })
    assert.ok(result.kind === 'threw' && result.final === true, `${action} ${JSON.stringify(result)}`)
    assert.equal(result.error.code, 'permission_denied')
    assert.deepEqual(result.error.details, { plugin: 'shop', resource, verb })
    assert.deepEqual(
      denials.map((denial) => [denial.plugin, denial.resource, denial.verb, typeof denial.job?.id]),
      [['shop', resource, verb, 'string']],
    )
  }
})

test('what is allowed, what is checked by use, and calls of itself go through', async () => {
  const denials: AskedDenial[] = []
  await using loaded = await shopWith(RULES, denials)
  for (const service of ['db', 'cache', 'clock'])
    assert.deepEqual(await loaded.run('shop', 'service', { service }), { kind: 'ok', result: { status: 'ok', service } })
  assert.equal((await loaded.run('shop', 'emit', { event: 'order.paid' })).kind, 'ok')
  assert.equal((await loaded.run('shop', 'call', { plugin: 'other' })).kind, 'ok')
  assert.equal((await loaded.run('shop', 'call', { plugin: 'shop' })).kind, 'ok')
  assert.deepEqual(denials, [])
})

test('an event that the pattern brings but a rule denies is not delivered', async () => {
  const denials: AskedDenial[] = []
  await using loaded = await shopWith(RULES, denials)
  const emit = (name: string) => loaded.platform.engine.emit({ name, data: {}, source: 'test' })
  await emit('order.paid')
  await emit('order.secret')
  await loaded.platform.settled()
  assert.deepEqual(await loaded.run('shop', 'ping'), { kind: 'ok', result: { status: 'ok', heard: ['order.paid'] } })
  assert.deepEqual(
    denials.map(({ resource, verb, job }) => [resource, verb, job !== null]),
    [['events:order.secret', 'subscribe', true]],
  )
})

test('a denial in onLoad refuses the plugin and names the rule that is missing', async () => {
  await using loaded = await shopWith('  - {resource: "db.*"}\n')
  assert.equal(loaded.host.status('shop')?.state, 'failed')
  assert.match(
    loaded.host.status('shop')?.lastError?.message ?? '',
    /may not subscribe events:order\.\*.*add \{resource: "events:order\.\*"/,
  )
  assert.equal(loaded.host.status('other')?.state, 'ready')
})
