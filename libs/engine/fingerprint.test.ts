import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { Json } from '../event-log/index.ts'
import { fingerprint } from './fingerprint.ts'

const json = fc.jsonValue().map((value): Json => JSON.parse(JSON.stringify(value)))

function reversedKeys(value: Json): Json {
  if (Array.isArray(value)) return value.map(reversedKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversedKeys(member)]),
  )
}

test('does not depend on the order of keys', () => {
  fc.assert(fc.property(json, (value) => assert.equal(fingerprint(reversedKeys(value)), fingerprint(value))))
})

test('differs for values that differ', () => {
  fc.assert(fc.property(json, json, (a, b) => assert.equal(fingerprint(a) === fingerprint(b), isDeepStrictEqual(a, b))))
})

test('keeps the order of lists, and types apart', () => {
  const values: Json[] = [[1, 2], [2, 1], [[1], 2], ['1', 2], { 1: 2 }, '1', 1, null, 'null', [], {}, '', [null], { a: null }]
  assert.equal(new Set(values.map(fingerprint)).size, values.length)
})
