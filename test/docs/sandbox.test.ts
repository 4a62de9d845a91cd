import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { PURE_BUILTINS } from '../../libs/plugin-host/runners/sandboxed/wire/builtins.ts'
import { hostWith } from '../../libs/plugin-host/testing/plugin-folder.ts'

const text = await readFile(join(import.meta.dirname, '../../docs/sandbox.md'), 'utf8')
const snippets = new Map([...text.matchAll(/^```\w+ file=(\S+)\n([\s\S]*?)^```$/gm)].map(([, name = '', code = '']) => [name, code]))

test('the first plugin of docs/sandbox.md runs as it is written', async () => {
  const set: unknown[] = []
  const files = Object.fromEntries(snippets)
  assert.deepEqual(Object.keys(files).sort(), ['plugin.yaml', 'src/main.ts'])
  await using t = await hostWith(
    { greeter: files },
    { services: { cache: () => ({ set: async (...args: readonly unknown[]) => void set.push(args) }) } },
  )
  assert.equal(t.host.refusal('greeter'), undefined, JSON.stringify(t.host.refusal('greeter')))
  assert.deepEqual(await t.run('greeter', 'greet', { name: 'Ada' }), { kind: 'ok', result: { status: 'ok', text: 'Hello, Ada' } })
  assert.deepEqual(set, [['greeted.Ada', true, { ttl: 60 }]])
  assert.deepEqual(
    t.platform.emitted.map(({ name }) => name),
    ['greeter.greeted'],
  )
})

test('docs/sandbox.md names the modules that may be imported', () => {
  for (const name of PURE_BUILTINS)
    assert.ok(
      text.includes(` ${name.split('/')[0]} `) || text.includes(`\`${name.split('/')[0]} `) || text.includes(` ${name.split('/')[0]}\``),
      name,
    )
})
