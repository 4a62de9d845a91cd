import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import * as Schema from 'typebox/schema'
import { hostSchema } from './host-schema.ts'

const scalar = fc.oneof(fc.string({ maxLength: 3 }), fc.integer({ min: -5, max: 5 }), fc.boolean(), fc.constant(null))
const name = fc.constantFrom('a', 'b', 'c')
const schema = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ type: fc.constantFrom('string', 'number', 'integer', 'boolean', 'null', 'array', 'object') }),
    fc.record({ const: scalar }),
    fc.record({ enum: fc.array(scalar, { minLength: 1, maxLength: 3 }) }),
    fc.record({ minimum: fc.integer({ min: -3, max: 3 }) }),
    fc.record({ minLength: fc.nat(3), pattern: fc.constant('^a') }),
    fc.record({ not: tie('any') }),
    fc.record({ oneOf: fc.array(tie('any'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ anyOf: fc.array(tie('any'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ allOf: fc.array(tie('any'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ type: fc.constant('array'), items: tie('any') }),
    fc.record({
      type: fc.constant('object'),
      properties: fc.dictionary(name, tie('any')),
      required: fc.uniqueArray(name),
      additionalProperties: fc.oneof(fc.boolean(), tie('any')),
    }),
    fc.record({ patternProperties: fc.record({ '^a': tie('any') }), additionalProperties: fc.boolean() }),
  ),
})).any
const value = fc.letrec((tie) => ({
  any: fc.oneof({ depthSize: 'small' }, scalar, fc.array(tie('any'), { maxLength: 3 }), fc.dictionary(name, tie('any'))),
})).any

test('what the whole schema accepts, the part for the host accepts too', () => {
  fc.assert(
    fc.property(schema, value, (whole, given) => {
      const plain: object = JSON.parse(JSON.stringify(whole))
      if (!Schema.Check(plain, given)) return
      assert.ok(Schema.Check(hostSchema(plain), given), JSON.stringify({ plain, host: hostSchema(plain), given }))
    }),
    { numRuns: 2_000 },
  )
})

test('nothing is left that runs a regular expression or refers to something', () => {
  const host = JSON.stringify(
    hostSchema({
      type: 'object',
      properties: { a: { type: 'string', pattern: '(a+)+$', format: 'email', maxLength: 5 }, b: { $ref: '#' } },
      $defs: { x: {} },
    }),
  )
  assert.equal(host, '{"type":"object","properties":{"a":{"type":"string","maxLength":5},"b":{}}}')
})
