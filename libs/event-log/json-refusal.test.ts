import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { refusal } from './json.ts'

const CASES: readonly [text: string, path: string | undefined][] = [
  ['{"a":[1,"x",null,true]}', undefined],
  ['{"a":"line\\nbreak \\u0001"}', undefined],
  ['{"a":"back\\\\u0000slash"}', undefined],
  ['{"a":{"b":["x","y\\u0000"]}}', '/a/b/1'],
  ['{"a\\u0000":1}', '/a\u0000'],
  ['{"a/b~c":"\\u0000"}', '/a~1b~0c'],
  ['"\\ud800"', ''],
  ['{"\\udc00":1}', '/\udc00'],
  ['["\\ud83d\\ude00"]', undefined],
  ['[1e999]', '/0'],
  ['{"__proto__":{"a":1}}', '/__proto__'],
  ['{"x":[{"\\u005f_proto__":1}]}', '/x/0/__proto__'],
  ['{"constructor":{"prototype":{}}}', '/constructor'],
  ['{"constructor":"Acme Ltd"}', undefined],
  ['{"prototype":{}}', undefined],
  ['['.repeat(64) + ']'.repeat(64), undefined],
  ['['.repeat(65) + ']'.repeat(65), '/0'.repeat(64)],
  ['{"a":'.repeat(65) + '1' + '}'.repeat(65), '/a'.repeat(64)],
]

test('finds what a job cannot hold, and where', () => {
  for (const [text, path] of CASES) assert.equal(refusal(JSON.parse(text))?.path, path, text.slice(0, 80))
})

test('lets every other JSON pass, however deep the input is', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 10, stringUnit: 'grapheme' }), (value) => {
      const parsed = JSON.parse(JSON.stringify(value))
      const text = JSON.stringify(parsed)
      const suspicious = text.includes('\\u0000') || text.includes('__proto__') || text.includes('constructor')
      assert.ok(suspicious || refusal(parsed) === undefined)
    }),
  )
  // As deep as the default body limit allows: must not overflow the stack.
  assert.ok(refusal(JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))))
})
