import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { hostWith } from '../../testing/plugin-folder.ts'

const MANIFEST = (entry: string, more = '') => `name: old\nversion: 1.0.0\nexecution_mode: legacy\nentry_point: ${entry}\n${more}`
const oldWith = (main: string, files: Readonly<Record<string, string>> = {}, entry = 'index.js') =>
  hostWith({ old: { 'plugin.yaml': MANIFEST(entry), [entry]: main, ...files } })

test('a class that extends nothing of ours runs, with itself as this and all that the base class offers', async () => {
  await using loaded = await oldWith(
    `const { EventEmitter } = require('node:events')
const { greet } = require('./lib/greet')
const { ok, Router } = require('@xcore/sdk')
class Old extends EventEmitter {
  constructor() { super(); this.heard = [] }
  async onLoad() { this.name_ = this.ctx.name; this.ctx.events.on('ping', this.onPing); this.emit('own') }
  onPing(event) { this.heard.push(event.name) }
  async handle(name, payload) {
    if (name === 'emit') return { id: await this.ctx.events.emit('ping') }
    if (name === 'call') return await this.callPlugin('old', 'greet', { who: 'me' })
    return { status: 'ok', text: greet(payload.who), name: this.name_, heard: this.heard }
  }
  getRouter() { const router = new Router(); router.get('/x', (ctx) => { ctx.body = this.name_ }); return router }
}
module.exports = Old`,
    { 'lib/greet.js': `exports.greet = (who) => 'hello ' + who` },
  )
  assert.equal(loaded.host.status('old')?.lastError, null)
  await loaded.run('old', 'emit')
  await loaded.platform.settled()
  assert.deepEqual(await loaded.run('old', 'greet', { who: 'you' }), {
    kind: 'ok',
    result: { status: 'ok', text: 'hello you', name: 'old', heard: ['ping'] },
  })
  assert.equal((await loaded.run('old', 'call')).kind, 'ok')
  assert.ok(loaded.host.routes('old'))
  assert.ok(loaded.lines.some((line) => line['level'] === 40 && String(line['msg']).includes('legacy is deprecated')))
})

test('an object with handle runs, is reloaded with what it requires, and follows permissions', async () => {
  const files = (version: number) => ({
    'index.cjs': `const { version } = require('./version.cjs'); module.exports = { async handle() { return { version } } }`,
    'version.cjs': `exports.version = ${version}`,
  })
  await using loaded = await hostWith({ old: { 'plugin.yaml': MANIFEST('index.cjs'), ...files(1) } })
  assert.deepEqual(await loaded.run('old', 'x'), { kind: 'ok', result: { status: 'ok', version: 1 } })
  for (const [path, text] of Object.entries(files(2))) await writeFile(join(loaded.dir, 'old', path), text)
  await loaded.host.reload('old')
  assert.deepEqual(await loaded.run('old', 'x'), { kind: 'ok', result: { status: 'ok', version: 2 } })

  const emits = `module.exports = { async handle() { return { id: await this.ctx.events.emit('a') } } }`
  await using denied = await hostWith({ old: { 'plugin.yaml': MANIFEST('index.cjs', 'permissions: []\n'), 'index.cjs': emits } })
  const result = await denied.run('old', 'x')
  assert.ok(result.kind === 'threw' && result.error.code === 'permission_denied')
})

test('what is neither is refused with what was found', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['module.exports = 5', /expected `module\.exports` to be a class or an object.*found number/],
    ['module.exports = { run() {} }', /found an object with run/],
    ['module.exports = class { }', /found an object with no members/],
    [`module.exports = class { constructor() { throw new Error('no') } }`, /constructor of .* threw: no/],
    [`throw new Error('at import')`, /at import/],
    [`require('./absent')`, /absent/],
  ]
  for (const [main, expected] of cases) {
    await using loaded = await oldWith(main)
    assert.match(loaded.host.status('old')?.lastError?.message ?? 'it loaded', expected)
  }
})
