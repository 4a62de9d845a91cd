import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createDatabase } from '../postgres/database.ts'
import { testDatabase } from '../postgres/testing/index.ts'
import { MAX_JSON_DEPTH, refusal } from './json.ts'
import type { Json } from './json.ts'

// Every UTF-16 unit, so also lone surrogates and U+0000, and keys that objects treat in their own way.
const text = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)), maxLength: 5 })
const key = fc.oneof(text, fc.constantFrom('__proto__', 'constructor', 'prototype', 'a/b', 'a~b', ''))
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    text,
    fc.constantFrom<Json>(null, true, false, 0, -1.5, 1e300, 5e-324),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('json')), { maxLength: 4 }).map((members) => Object.fromEntries(members)),
  ),
}))

test('what is not refused, Postgres stores and gives back; what is refused for its text, Postgres refuses too', async () => {
  await using home = await testDatabase({ migrated: false })
  const database = createDatabase({ url: home.url, applicationName: 'json test', max: 2 })
  try {
    await fc.assert(
      fc.asyncProperty(json, async (value) => {
        const refused = refusal(value)
        const stored = database.query<{ value: Json }>({ name: 'json_round_trip', text: 'select $1::jsonb as value' }, [
          JSON.stringify(value),
        ])
        if (refused === undefined) assert.deepEqual((await stored)[0]?.value, JSON.parse(JSON.stringify(value)))
        else if (/U\+0000|surrogate/.test(refused.reason)) await assert.rejects(stored)
        else await stored.catch(() => {})
      }),
      { numRuns: 300 },
    )
  } finally {
    await database.close()
  }
})

test('names the place as a JSON pointer', () => {
  assert.deepEqual(refusal({ a: [0, { 'b/c~d': 'x\u0000' }] })?.path, '/a/1/b~1c~0d')
  assert.match(refusal('\ud800')?.reason ?? '', /surrogate/)
  assert.equal(refusal('\ud83d\ude00'), undefined)
  assert.deepEqual(refusal(['fine', '\u0000'])?.path, '/1')
})

test('refuses keys that change prototypes when plugins merge payloads', () => {
  assert.match(refusal(JSON.parse('{"a":{"__proto__":{}}}'))?.reason ?? '', /__proto__/)
  assert.match(refusal({ constructor: { prototype: {} } })?.reason ?? '', /constructor\.prototype/)
  assert.equal(refusal({ constructor: 'a builder', prototype: 1 }), undefined)
})

test('allows 64 levels and no more', () => {
  const nested = (levels: number): Json => (levels === 0 ? 1 : levels % 2 === 0 ? [nested(levels - 1)] : { a: nested(levels - 1) })
  assert.equal(refusal(nested(MAX_JSON_DEPTH)), undefined)
  assert.match(refusal(nested(MAX_JSON_DEPTH + 1))?.reason ?? '', /64 levels/)
})
