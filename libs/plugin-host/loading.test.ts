import assert from 'node:assert/strict'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createMetrics } from '../telemetry/index.ts'
import { currentPlugin } from './index.ts'
import { StateSignals, hostWith, pluginClass } from './testing/plugin-folder.ts'

const hello = pluginClass(`async handle(name) { return ok({ message: name }) }`)

function failure(host: Awaited<ReturnType<typeof hostWith>>, name: string): { readonly code: string; readonly message: string } {
  const status = host.host.status(name)
  assert.equal(status?.state, 'failed', `${name} is ${status?.state}`)
  assert.ok(status.lastError)
  assert.deepEqual(host.host.refusal(name), status.lastError)
  assert.equal(host.host.find(name), undefined)
  return status.lastError
}

test('a TypeScript plugin anywhere on disk shares the SDK, typebox and the router with the host', async () => {
  await using loaded = await hostWith({
    typed: {
      'src/main.ts': `
        import { Type as T } from 'typebox'
        import { Compile } from 'typebox/compile'
        import KoaRouter from '@koa/router'
        import { TrustedBase, Router, Type, ok } from '@xcore/sdk'
        import { part } from './part.ts'
        interface Answer { readonly same: boolean }
        export default class Typed extends TrustedBase {
          private readonly answer: Answer = { same: T === Type && KoaRouter === Router && Compile(Type.String()).Check('x') }
          override handle() { return ok({ ...this.answer, part }) }
        }`,
      'src/part.ts': `export const part: string = 'of it'`,
    },
    plain: { 'plugin.yaml': 'name: plain\nversion: 2.1.0\nentry_point: src/main.js\n', 'src/main.js': hello },
    common: {
      'plugin.yaml': 'name: common\nversion: 1.0.0\nentry_point: main.cjs\n',
      'main.cjs': `const { TrustedBase, ok } = require('@xcore/sdk'); exports.Plugin = class extends TrustedBase { handle() { return ok({ cjs: true }) } }`,
    },
    named: `import { SandboxedBase } from '@xcore/sdk'; export class Plugin extends SandboxedBase { handle() {} }`,
  })
  assert.deepEqual(
    loaded.host
      .runnable()
      .map(({ name }) => name)
      .toSorted(),
    ['common', 'named', 'plain', 'typed'],
  )
  assert.deepEqual(await loaded.run('typed', 'x'), { kind: 'ok', result: { status: 'ok', same: true, part: 'of it' } })
  assert.deepEqual(await loaded.run('plain', 'hi'), { kind: 'ok', result: { status: 'ok', message: 'hi' } })
  assert.deepEqual(await loaded.run('common', 'x'), { kind: 'ok', result: { status: 'ok', cjs: true } })
  assert.equal(loaded.host.status('plain')?.version, '2.1.0')
})

test('a folder that is a link works as well', async () => {
  await using real = await hostWith({ linked: hello })
  await using empty = await hostWith({})
  await symlink(join(real.dir, 'linked'), join(empty.dir, 'link'))
  await using loaded = await hostWith({}, { dir: empty.dir })
  assert.equal(loaded.host.status('linked')?.state, 'ready')
})

test('plugins that cannot be imported fail alone, each with its reason', async () => {
  await using loaded = await hostWith({
    good: hello,
    syntax: `export default class {{`,
    enumerated: `import { TrustedBase } from '@xcore/sdk'\nexport enum Colour { Red }\nexport default class extends TrustedBase {}`,
    lost: `import 'no-such-package'`,
    throws: `throw new RangeError('at import')`,
    silent: `export const x = 1`,
    alien: `export default class Alien {}`,
    value: `export default { handle() {} }`,
    arrow: `export default () => {}`,
    built: pluginClass(`constructor() { super(); throw 'in constructor' }`),
    early: pluginClass(`name = this.ctx.name`),
  })
  const expected: Readonly<Record<string, RegExp>> = {
    syntax: /^src\/main\.ts:1: /,
    enumerated: /^src\/main\.ts:2: TypeScript enum is not supported.*union of literals.*erasableSyntaxOnly/,
    lost: /no-such-package.*install the package/,
    throws: /at import/,
    silent: /expected `export default class Plugin extends TrustedBase`.*found exports: x/,
    alien: /expected the class Alien to extend TrustedBase/,
    value: /found exports: default/,
    arrow: /found exports: default/,
    built: /the constructor of Plugin threw: in constructor/,
    early: /this\.ctx is not there yet/,
  }
  for (const [name, message] of Object.entries(expected)) {
    const error = failure(loaded, name)
    assert.equal(error.code, 'plugin_load_failed')
    assert.match(error.message, message, name)
  }
  assert.equal(loaded.host.status('good')?.state, 'ready')
  assert.deepEqual(
    loaded.host.runnable().map(({ name }) => name),
    ['good'],
  )
})

test('TypeScript under node_modules is refused with the remedy', async () => {
  await using outer = await hostWith({})
  await using loaded = await hostWith({ packed: hello }, { dir: join(outer.dir, 'node_modules') })
  assert.deepEqual(loaded.host.statuses(), [])
  const { rename, mkdir } = await import('node:fs/promises')
  await mkdir(join(outer.dir, 'node_modules'))
  await rename(join(loaded.dir, 'packed'), join(outer.dir, 'node_modules', 'packed'))
  await using again = await hostWith({}, { dir: join(outer.dir, 'node_modules') })
  assert.match(
    failure(again, 'packed').message,
    /does not run TypeScript inside a node_modules folder: move the plugin's folder, or name a compiled \.js/,
  )
})

test('an onLoad that throws, or throws anything, fails its plugin; the others run', async () => {
  await using loaded = await hostWith({
    rejects: pluginClass(`async onLoad() { throw new Error('no connection') }`),
    oddly: pluginClass(`onLoad() { throw { reason: 7 } }`),
    nothing: pluginClass(`onLoad() { throw undefined }`),
    badrouter: pluginClass(`getRouter() { return { get() {} } }`),
    badactions: pluginClass(`actions = { x: 'not an action' }`),
    badschema: pluginClass(`actions = { x: action({ input: Type.String({ pattern: '(' }), handler() {} }) }`),
    badname: pluginClass(`actions = { 'a/b': action({ handler() {} }) }`),
    good: hello,
  })
  assert.match(failure(loaded, 'rejects').message, /onLoad of plugin rejects failed: no connection/)
  assert.match(failure(loaded, 'oddly').message, /\{"reason":7\}/)
  assert.match(failure(loaded, 'nothing').message, /undefined/)
  assert.match(failure(loaded, 'badrouter').message, /getRouter: expected a Router of @xcore\/sdk/)
  assert.match(failure(loaded, 'badactions').message, /actions\.x: expected action\(\{ input\?, handler \}\), found string/)
  assert.match(failure(loaded, 'badschema').message, /actions\.x\.input: the schema cannot be compiled: Invalid regular expression/)
  assert.match(failure(loaded, 'badname').message, /actions\.a\/b: expected a name/)
  assert.equal(loaded.platform.registered.size, 0)
  assert.equal(loaded.host.status('good')?.state, 'ready')
})

test('an import or onLoad that hangs fails its plugin and tells it; the others run and do not wait for it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const hung = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  let told = false
  Reflect.set(globalThis, 'hungImport', hung[0].resolve)
  Reflect.set(globalThis, 'hungLoad', hung[1].resolve)
  Reflect.set(globalThis, 'toldGone', () => (told = true))
  const signals = new StateSignals()
  await using loaded = await hostWith(
    {
      importing: `globalThis.hungImport(); await new Promise(() => {})`,
      hanging: pluginClass(`async onLoad() {
        this.ctx.events.on('a', () => {})
        this.ctx.signal.addEventListener('abort', () => globalThis.toldGone())
        globalThis.hungLoad()
        await new Promise(() => {})
      }`),
      good: hello,
    },
    { metrics: signals.metrics },
    async () => {
      await Promise.all([hung[0].promise, hung[1].promise, signals.reached('good', 'ready')])
      t.mock.timers.tick(30_000)
    },
  )
  assert.match(failure(loaded, 'importing').message, /the import of src\/main\.ts did not finish within 30 s/)
  assert.match(failure(loaded, 'hanging').message, /onLoad of plugin hanging failed: onLoad did not finish within 30 s/)
  assert.ok(told)
  assert.equal(loaded.platform.registered.size, 0)
  assert.equal(loaded.host.status('good')?.state, 'ready')
})

test('duplicates, missing env, circles and dependents of failed plugins are refused; the rest runs', async () => {
  const manifest = (name: string, more: string): string => `name: ${name}\nversion: 1.0.0\n${more}\n`
  const plugin = (name: string, more: string) => ({ 'plugin.yaml': manifest(name, more), 'src/main.ts': hello })
  await using loaded = await hostWith(
    {
      a_first: plugin('twin', ''),
      b_second: plugin('twin', ''),
      envless: plugin('envless', 'env: {KEY: "\${NOT_SET}"}'),
      envful: {
        'plugin.yaml': manifest('envful', 'env: {KEY: "\${IS_SET}-1"}\nconfig: {size: 3}'),
        'src/main.ts': pluginClass(`handle() { return ok({ env: this.ctx.env, config: this.ctx.config }) }`),
      },
      ring_a: plugin('ring_a', 'requires: [ring_b]'),
      ring_b: plugin('ring_b', 'requires: [ring_a]'),
      broken: { 'plugin.yaml': manifest('broken', ''), 'src/main.ts': pluginClass(`onLoad() { throw new Error('x') }`) },
      needs_broken: plugin('needs_broken', 'requires: [broken]'),
      base: plugin('base', ''),
      needs_base: plugin('needs_base', 'requires: [base]'),
      invalid: { 'plugin.yaml': 'name: [\n', 'src/main.ts': hello },
    },
    { hostEnv: { IS_SET: 'yes' } },
  )
  assert.deepEqual(
    loaded.host
      .runnable()
      .map(({ name }) => name)
      .toSorted(),
    ['base', 'envful', 'needs_base', 'twin'],
  )
  assert.deepEqual(
    loaded.host
      .statuses()
      .filter(({ name }) => name === 'twin')
      .map(({ state, lastError }) => [state, lastError?.code]),
    [
      ['ready', undefined],
      ['failed', 'plugin_duplicate'],
    ],
  )
  assert.equal(failure(loaded, 'envless').code, 'env_missing')
  assert.equal(failure(loaded, 'ring_a').code, 'dependency_cycle')
  assert.equal(failure(loaded, 'needs_broken').code, 'dependency_missing')
  assert.equal(failure(loaded, 'invalid').code, 'manifest_invalid')
  assert.equal(loaded.host.status('invalid')?.manifest, null)
  assert.deepEqual(await loaded.run('envful', 'x'), { kind: 'ok', result: { status: 'ok', env: { KEY: 'yes-1' }, config: { size: 3 } } })
  assert.equal(loaded.host.status('nobody'), undefined)
  assert.deepEqual(loaded.platform.retained, [], 'nothing is forgotten while a manifest is unreadable')
})

test('unloading runs onUnload in reverse order, within deadlines, and goes on after failures', async (t) => {
  const order: string[] = []
  const hung = Promise.withResolvers<void>()
  Reflect.set(globalThis, 'unloaded', (name: string) => order.push(name))
  Reflect.set(globalThis, 'hungUnload', hung.resolve)
  const plugin = (name: string, requires: string, unload: string) => ({
    'plugin.yaml': `name: ${name}\nversion: 1.0.0\nrequires: [${requires}]\n`,
    'src/main.ts': pluginClass(`async onUnload() { globalThis.unloaded('${name}'); ${unload} } handle() {}`),
  })
  const metrics = createMetrics()
  await using loaded = await hostWith(
    {
      a: plugin('a', '', ''),
      b: plugin('b', 'a', `throw new Error('stuck')`),
      c: plugin('c', 'b', `globalThis.hungUnload(); await new Promise(() => {})`),
      d: plugin('d', 'c', ''),
    },
    { metrics },
  )
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const unloading = loaded.host.unloadAll()
  await hung.promise
  t.mock.timers.tick(10_000)
  await unloading
  assert.deepEqual(order, ['d', 'c', 'b', 'a'])
  assert.deepEqual(
    loaded.host.statuses().map(({ state }) => state),
    ['unloaded', 'failed', 'failed', 'unloaded'],
  )
  assert.match(loaded.host.status('b')?.lastError?.message ?? '', /onUnload of plugin b failed: stuck/)
  assert.match(loaded.host.status('c')?.lastError?.message ?? '', /onUnload did not finish within 10 s/)
  assert.equal(loaded.host.status('b')?.lastError?.code, 'plugin_unload_failed')
  assert.equal(loaded.host.find('a'), undefined)
  assert.equal(loaded.host.refusal('a')?.code, 'not_ready')
  const text = await metrics.registry.metrics()
  assert.match(text, /xcore_plugin_state\{plugin="b",state="failed"\} 1/)
  assert.match(text, /xcore_plugin_state\{plugin="b",state="ready"\} 0/)
})

test('code that a plugin left behind is known as its own', async () => {
  const strays: (readonly unknown[])[] = []
  const both = Promise.withResolvers<void>()
  Reflect.set(globalThis, 'reportStray', (what: string) => {
    strays.push([what, currentPlugin()])
    if (strays.length === 3) both.resolve()
  })
  await using loaded = await hostWith({
    careless: pluginClass(
      `
      onLoad() { setImmediate(() => globalThis.reportStray('hook')) }
      handle() { setImmediate(() => globalThis.reportStray('job')) }`,
      `setImmediate(() => globalThis.reportStray('import'))`,
    ),
  })
  await loaded.run('careless', 'x')
  await both.promise
  assert.deepEqual(strays.toSorted(), [
    ['hook', 'careless'],
    ['import', 'careless'],
    ['job', 'careless'],
  ])
  assert.equal(currentPlugin(), undefined)
})
