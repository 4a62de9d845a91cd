import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromRich, toRich } from './rich.ts'

const leaf = fc.oneof(
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc.double(),
  fc.bigInt({ min: -(10n ** 300n), max: 10n ** 300n }),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
)
const key = fc.oneof(fc.constantFrom('$', 'v', 'constructor'), fc.string()).filter((name) => name !== '__proto__')
const value = fc.letrec((tie) => ({
  any: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('any')), fc.dictionary(key, tie('any'), { noNullPrototype: true })),
})).any

test('what goes over the wire comes back as it was, its own `$` members too', () => {
  fc.assert(
    fc.property(value, (given) => {
      const wire: unknown = JSON.parse(JSON.stringify(toRich(given)))
      assert.deepEqual(fromRich(wire), withoutMinusZero(given))
    }),
  )
})

test('any JSON is decoded or refused with an error, and makes nothing but plain values', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      try {
        fromRich(json)
      } catch (thrown) {
        assert.ok(thrown instanceof TypeError || thrown instanceof RangeError)
      }
    }),
  )
  assert.throws(() => fromRich(JSON.parse('{"a": {"__proto__": {"x": 1}}}')), TypeError)
  assert.throws(() => toRich(() => {}), TypeError)
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  assert.throws(() => toRich(cycle), RangeError)
})

// JSON does not know it.
function withoutMinusZero(given: unknown): unknown {
  if (Object.is(given, -0)) return 0
  if (Array.isArray(given)) return given.map(withoutMinusZero)
  if (typeof given !== 'object' || given === null || given instanceof Date || Buffer.isBuffer(given)) return given
  return Object.fromEntries(Object.entries(given).map(([name, member]) => [name, withoutMinusZero(member)]))
}
