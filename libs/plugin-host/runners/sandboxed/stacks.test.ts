import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hostWith } from '../../testing/plugin-folder.ts'
import { bundlePlugin } from './host/bundle-plugin.ts'

const MAIN = `import { SandboxedBase, ok } from '@xcore/sdk'
import { parse } from './parse.ts'

interface Wish {
  readonly text: string
}

/** Types and comments are gone in the bundle, so its lines are others. */
export default class Plugin extends SandboxedBase {
  override async handle(name: string, wish: Wish) {
    if (name === 'log') this.logger.error({ err: new Error('told') }, 'logged')
    if (name === 'crash') setTimeout(() => { throw new Error('uncaught') })
    if (name === 'crash') await new Promise(() => {})
    if (name === 'parse') parse(wish.text)
    return ok()
  }
}
`
const PARSE = `
type Rule = string

export function parse(text: Rule): never {
  throw new Error('cannot parse ' + text)
}
`
const plugin = (main: string, more: Readonly<Record<string, string>> = {}) => ({
  plugin: {
    'plugin.yaml': 'name: plugin\nversion: 1.0.0\nexecution_mode: sandboxed\n',
    'src/main.ts': main,
    ...more,
  },
})

test('what a sandboxed plugin throws names the file and line that its author wrote', async () => {
  await using t = await hostWith(plugin(MAIN, { 'src/parse.ts': PARSE }))
  const threw = await t.run('plugin', 'parse', { text: 'x' })
  assert.ok(threw.kind === 'threw')
  assert.match(threw.error.stack ?? '', /^Error: cannot parse x\n +at parse \(src\/parse\.ts:5:9\)\n +at .*src\/main\.ts:14:27/)
  assert.doesNotMatch(threw.error.stack ?? '', /xcore-sandbox-|\.mjs/)
  await t.run('plugin', 'log')
  const { err } = Object(t.lines.find(({ msg }) => msg === 'logged'))
  assert.match(String(Object(err).stack), /src\/main\.ts:11:/)
  const crash = await t.run('plugin', 'crash')
  assert.ok(crash.kind === 'threw')
  assert.match(crash.error.message, /src\/main\.ts:12:/)
  assert.doesNotMatch(JSON.stringify(t.lines), /[0-9a-f]{32}\.mjs/)
})

test('a plugin that cannot load tells where', async () => {
  await using t = await hostWith(
    plugin(`${MAIN.replace('override async', "override onLoad() { throw new Error('no key') }\n  override async")}`, {
      'src/parse.ts': PARSE,
    }),
  )
  const refusal = t.host.refusal('plugin')
  assert.equal(refusal?.code, 'plugin_load_failed')
  assert.match(JSON.stringify(t.lines), /no key.*src\/main\.ts:10:/)
})

test('a source map that a plugin brings is not read, wherever it points', async () => {
  const outside = await mkdtemp(join(tmpdir(), 'xcore-maps-'))
  try {
    const secret = join(outside, 'secret.map')
    await writeFile(
      secret,
      JSON.stringify({ version: 3, sources: ['SECRET'], sourcesContent: ['SECRET'], names: ['SECRET'], mappings: 'AAAAA' }),
    )
    const comment = `//# sourceMappingURL=${secret}\n`
    await using t = await hostWith(plugin(`${MAIN}\n${comment}`, { 'src/parse.ts': `${PARSE}${comment}/*# sourceMappingURL=${secret} */` }))
    const { sourceMap } = await bundlePlugin(join(t.dir, 'plugin'), 'src/main.ts', outside)
    assert.deepEqual(Object(JSON.parse(sourceMap)).sources.toSorted(), ['src/main.ts', 'src/parse.ts'])
    assert.doesNotMatch(sourceMap, /SECRET/)
  } finally {
    await rm(outside, { recursive: true })
  }
})
