import assert from 'node:assert/strict'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import type { LifecycleNews } from './port.ts'
import { hostWith, pluginClass, type TestHost } from './testing/plugin-folder.ts'

async function write(host: TestHost, path: string, text: string): Promise<void> {
  await mkdir(dirname(join(host.dir, path)), { recursive: true })
  await writeFile(join(host.dir, path), text)
}

const COUNTER = (version: number, more = '') =>
  pluginClass(
    `
  count = 0
  onLoad() { this.count = this.previousState?.count ?? 0; this.ctx.events.on('tick.${version}', () => {}, { id: 'tick' }); ${more} }
  onReload() { return { count: this.count } }
  onUnload() { globalThis.unloaded?.push(VERSION) }
  async handle(name, payload, job) {
    if (name === 'slow') { await globalThis.gate; return ok({ version: VERSION, late: (await import('./late.ts')).LATE }) }
    this.count += 1
    return ok({ version: VERSION, count: this.count })
  }
  getRouter() { const router = new Router(); router.get('/v', (ctx) => { ctx.body = String(VERSION) }); return router }`,
    `import { VERSION } from './version.ts'`,
  )
const files = (version: number, more = '') => ({
  'src/main.ts': COUNTER(version, more),
  'src/version.ts': `export const VERSION = ${version}`,
  'src/late.ts': `export const LATE = ${version}`,
})

async function rewrite(host: TestHost, version: number, more = ''): Promise<void> {
  for (const [path, text] of Object.entries(files(version, more))) await write(host, `counter/${path}`, text)
}

declare global {
  var gate: Promise<void> | undefined
  var unloaded: number[] | undefined
}

test('a reload reads all files anew, hands the state over and lets what runs finish on the old instance', async () => {
  const news: LifecycleNews[] = []
  await using loaded = await hostWith({ counter: files(1) }, { onNews: (each) => news.push(each) })
  globalThis.unloaded = []
  const gate = Promise.withResolvers<void>()
  globalThis.gate = gate.promise
  assert.deepEqual(await loaded.run('counter', 'next'), { kind: 'ok', result: { status: 'ok', version: 1, count: 1 } })
  const slow = loaded.run('counter', 'slow')

  await rewrite(loaded, 2)
  const status = await loaded.host.reload('counter')
  assert.equal(status.state, 'ready')
  assert.deepEqual(
    [...loaded.platform.registered.values()].map(({ pattern }) => pattern),
    ['tick.2'],
  )
  assert.deepEqual(await loaded.run('counter', 'next'), { kind: 'ok', result: { status: 'ok', version: 2, count: 2 } })
  assert.deepEqual(globalThis.unloaded, [], 'the old instance still runs a job')
  gate.resolve()
  // What the old instance imports late is of its own load as far as its URLs go, yet the file is the new one.
  assert.deepEqual(await slow, { kind: 'ok', result: { status: 'ok', version: 1, late: 2 } })
  while (globalThis.unloaded.length === 0) await new Promise(setImmediate)
  assert.deepEqual(globalThis.unloaded, [1])
  assert.deepEqual(
    news.map(({ kind, plugin, version }) => [kind, plugin, version]),
    [
      ['loaded', 'counter', '1.0.0'],
      ['reloaded', 'counter', '1.0.0'],
    ],
  )
})

test('a version that does not load leaves the old one serving, whatever is wrong with it', async () => {
  const news: LifecycleNews[] = []
  await using loaded = await hostWith({ counter: files(1) }, { onNews: (each) => news.push(each) })
  const bad: readonly (readonly [string, string, RegExp])[] = [
    ['counter/src/main.ts', 'export default class {', /main\.ts/],
    ['counter/src/main.ts', COUNTER(2, `throw new Error('not today')`), /not today/],
    ['counter/src/version.ts', 'export const OTHER = 1', /VERSION/],
    ['counter/plugin.yaml', 'name: counter\nversion: x\n', /semantic version/],
    ['counter/plugin.yaml', 'name: other\nversion: 1.0.0\n', /calls itself other/],
    ['counter/plugin.yaml', 'name: counter\nversion: 1.0.0\nrequires: [absent]\n', /requires absent/],
    ['counter/plugin.yaml', 'name: counter\nversion: 1.0.0\nframework_version: ">=9"\n', /wants XCore/],
  ]
  for (const [path, text, expected] of bad) {
    await write(loaded, path, text)
    await assert.rejects(loaded.host.reload('counter'), expected)
    const status = loaded.host.status('counter')
    assert.equal(status?.state, 'ready')
    assert.match(status.lastError?.message ?? '', expected)
    const result = await loaded.run('counter', 'next')
    assert.ok(result.kind === 'ok' && result.result['version'] === 1)
    await rewrite(loaded, 1)
    await write(loaded, 'counter/plugin.yaml', 'name: counter\nversion: 1.0.0\n')
  }
  assert.equal(news.filter(({ kind }) => kind === 'failed').length, bad.length)
  assert.equal((await loaded.host.reload('counter')).lastError, null)
})

test('an onReload that throws or hangs costs only the state', async () => {
  const main = (hook: string) =>
    pluginClass(`onReload() { ${hook} }
  handle() { return ok({ state: this.previousState === undefined }) }`)
  for (const hook of [`throw new Error('no state')`, 'return new Promise(() => {})']) {
    await using loaded = await hostWith({ plain: main(hook) }, { deadlines: { reload: 20 } })
    await loaded.host.reload('plain')
    assert.deepEqual(await loaded.run('plain', 'x'), { kind: 'ok', result: { status: 'ok', state: true } })
    assert.ok(loaded.lines.some((line) => String(line['msg']).includes('onReload failed')))
  }
})

test('unload ends it until load, also one that is new on disk; what others require stays', async () => {
  const changes: string[] = []
  await using loaded = await hostWith({
    base: pluginClass(`onLoad() { this.ctx.events.on('a', () => {}) }
  handle() { return ok() }`),
    above: { 'plugin.yaml': 'name: above\nversion: 1.0.0\nrequires: [base]\n', 'src/main.ts': pluginClass('handle() { return ok() }') },
  })
  const { host } = loaded
  host.onChange((plugin) => void changes.push(`${plugin} ${host.find(plugin) === undefined ? 'gone' : 'ready'}`))
  await assert.rejects(host.unload('base'), { code: 'plugin_required' })
  assert.equal((await host.unload('above')).state, 'unloaded')
  assert.equal((await host.unload('base')).state, 'unloaded')
  assert.equal(loaded.platform.registered.size, 0)
  assert.deepEqual(host.refusal('base'), { code: 'not_ready', message: 'plugin base is unloaded' })
  await assert.rejects(host.reload('base'), { code: 'not_ready' })
  await assert.rejects(host.load('above'), { code: 'dependency_missing' })
  assert.equal((await host.load('base')).state, 'ready')
  assert.equal((await host.load('base')).state, 'ready')
  assert.equal((await host.load('above')).state, 'ready')
  assert.deepEqual(changes, ['above gone', 'base gone', 'base ready', 'above ready'])

  await assert.rejects(host.load('fresh'), { code: 'not_found' })
  await write(loaded, 'fresh/plugin.yaml', 'name: fresh\nversion: 1.0.0\n')
  await write(loaded, 'fresh/src/main.ts', 'export default 1')
  await assert.rejects(host.load('fresh'), { code: 'plugin_load_failed' })
  await write(loaded, 'fresh/src/main.ts', pluginClass('handle() { return ok() }'))
  assert.equal((await host.reload('fresh')).state, 'ready')
  assert.equal(host.statuses().length, 3)
  await rm(join(loaded.dir, 'fresh'), { recursive: true })
  await assert.rejects(host.reload('fresh'), /no manifest any more/)
})

test('what an operator decided holds from the start', async () => {
  await using loaded = await hostWith(
    { one: pluginClass('handle() { return ok() }'), two: pluginClass('handle() { return ok() }') },
    {},
    undefined,
    [
      { plugin: 'one', unloaded: true, paused: false },
      { plugin: 'two', unloaded: false, paused: true },
    ],
  )
  assert.equal(loaded.host.status('one')?.state, 'unloaded')
  assert.equal(loaded.host.status('two')?.paused, true)
  assert.equal(loaded.host.isPaused('two'), true)
  assert.equal((await loaded.host.pause('two', false)).paused, false)
})

test('changes asked for at once take turns', async () => {
  await using loaded = await hostWith({ counter: files(1) })
  globalThis.unloaded = []
  await Promise.all([
    loaded.host.reload('counter'),
    loaded.host.reload('counter'),
    loaded.host.unload('counter'),
    loaded.host.load('counter'),
  ])
  while (globalThis.unloaded.length < 3) await new Promise(setImmediate)
  assert.equal(loaded.host.status('counter')?.state, 'ready')
  assert.deepEqual(globalThis.unloaded, [1, 1, 1])
})
