import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { stackMap } from './stack-map.ts'

const options = { bundle: '/tmp/xcore-sandbox-1/abc.mjs', program: '/tmp/xcore-sandbox-1/program/main.mjs' }
// Line 3, column 1 of the bundle is line 12, column 5 of src/main.ts.
const map = JSON.stringify({ version: 3, sources: ['src/main.ts'], names: [], mappings: ';;AAWI' })
const url = 'file:///tmp/xcore-sandbox-1/abc.mjs'

test('places in the bundle become places of the author; the program that runs it is left out', () => {
  const stack = [
    'Error: no',
    `    at place (${url}:3:9)`,
    `    at async other (${url}:1:1), and ${url}:3`,
    '    at execute (file:///tmp/xcore-sandbox-1/program/chunk-X.mjs:1:2345)',
    '    at node:internal/process:1:2',
  ].join('\n')
  assert.equal(
    stackMap({ ...options, map }).rewrite(stack),
    'Error: no\n    at place (src/main.ts:12:5)\n    at async other (bundle:1:1), and src/main.ts:12:5\n    at node:internal/process:1:2',
  )
})

test('without a map, or with one that leads elsewhere, only the path is left out', () => {
  const leaving = ['../../etc/passwd', '/etc/passwd', 'file:///etc/passwd', 'src/../../x', 'a\nb'].map((source) =>
    JSON.stringify({ version: 3, sources: [source], names: [], mappings: ';;AAWI' }),
  )
  for (const bad of [null, '', '{', '[]', '{"sources":1}', ...leaving]) {
    assert.equal(stackMap({ ...options, map: bad }).rewrite(`at ${url}:3:9`), 'at bundle:3:9')
  }
})

test('hostile stacks: nothing throws, nothing grows, the path never shows', () => {
  const stacks = stackMap({ ...options, map })
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(url, `${url}:`, `${url}:3`, `${url}:3:9`, `${url}:999999999999:1`, ':', '\n', `${url}:0:0`),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 50 }), (pieces) => {
      const text = pieces.join('')
      const out = stacks.rewrite(text)
      assert.ok(out.length <= text.length)
      assert.ok(!out.includes(url))
    }),
  )
  const long = `at ${url}:3:9 `.repeat(100_000)
  assert.ok(stacks.rewrite(long).length < 32_768)
})
