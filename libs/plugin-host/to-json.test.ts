import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { storable, toJson } from './to-json.ts'

const convert = (value: unknown, maxBytes = 1024 * 1024) => toJson(value, { name: 'result', maxBytes })
const problemOf = (value: unknown): string => {
  const converted = convert(value)
  return converted.ok ? 'none' : converted.problem
}

test('what is JSON comes back as it was', () => {
  const json = fc.jsonValue({ maxDepth: 6 }).filter((value) => !/\\u0000|__proto__/.test(JSON.stringify(value)))
  fc.assert(
    fc.property(json, (value) => {
      fc.pre(JSON.stringify(value).isWellFormed() && !/\\ud[89a-f]/.test(JSON.stringify(value)))
      assert.deepEqual(JSON.stringify(convert(value)), JSON.stringify({ ok: true, json: value }))
    }),
  )
})

test('nothing makes it throw', () => {
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withNullPrototype: true }),
      (value) => typeof convert(value).ok === 'boolean',
    ),
  )
  const hostile = {
    get trap(): never {
      throw new Error('secret')
    },
  }
  assert.equal(problemOf(hostile), 'result: reading it threw Error')
  assert.match(
    problemOf(
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new TypeError('no')
          },
        },
      ),
    ),
    /reading it threw TypeError/,
  )
})

test('each problem is named with its place', () => {
  const cycle: { self?: object } = {}
  cycle.self = cycle
  let deep: unknown = 1
  for (let level = 0; level < 10_000; level += 1) deep = [deep]
  assert.match(problemOf({ a: [1, () => 1] }), /^result\/a\/1: expected a JSON value, found a function$/)
  assert.match(problemOf({ a: 1n }), /^result\/a: .* a BigInt/)
  assert.match(problemOf({ a: undefined }), /^result\/a: .* undefined \(leave it out/)
  assert.match(problemOf([Number.NaN]), /^result\/0: .* NaN$/)
  assert.match(problemOf({ a: Symbol('x') }), /a symbol/)
  assert.match(problemOf(cycle), /^result\/self: .* a cycle$/)
  assert.match(problemOf({ m: new Map() }), /a Map/)
  assert.match(problemOf({ e: new TypeError('x') }), /a.* TypeError/)
  assert.match(problemOf(new Uint8Array(2)), /a Uint8Array/)
  assert.match(problemOf('a\u0000b'), /U\+0000/)
  assert.match(problemOf({ 'a\u0000b': 1 }), /^result\/a\\0b: .*U\+0000/)
  assert.match(problemOf('\ud800'), /half a surrogate pair/)
  assert.match(problemOf(JSON.parse('{"__proto__": 1}')), /__proto__: .* not allowed/)
  assert.match(problemOf(deep), /at most 64 levels/)
})

test('dates and what has a toJSON are converted; class instances by their own members; shared parts are no cycle', () => {
  const when = new Date(0)
  const shared = { x: 1 }
  class Money {
    readonly amount = 5
    readonly #hidden = 1
    total(): number {
      return this.amount + this.#hidden
    }
  }
  assert.deepEqual(convert({ when, url: new URL('http://x/'), money: new Money(), a: shared, b: shared }), {
    ok: true,
    json: { when: when.toISOString(), url: 'http://x/', money: { amount: 5 }, a: { x: 1 }, b: { x: 1 } },
  })
})

test('it stops at the size cap, also for a small value that repeats itself without end', () => {
  assert.deepEqual(convert('x'.repeat(100), 50), {
    ok: false,
    reason: 'too_large',
    problem: 'expected at most 50 bytes of JSON, found more',
  })
  let bomb: unknown[] = ['x']
  for (let level = 0; level < 40; level += 1) bomb = [bomb, bomb]
  const converted = convert(bomb)
  assert.ok(!converted.ok && converted.reason === 'too_large')
})

test('storable text', () => {
  assert.equal(storable('a\u0000\ud800b', 10), 'a\uFFFD\uFFFDb')
  assert.equal(storable('abcdef', 3), 'abc…')
})
