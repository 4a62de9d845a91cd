import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idempotencyKeyOf, preferredWait, traceparentOf } from './request-headers.ts'

test('Prefer: wait as RFC 7240 writes it', () => {
  const cases: readonly [string | undefined, number | undefined][] = [
    [undefined, undefined],
    ['', undefined],
    ['wait=5', 5],
    ['WAIT = "10"', 10],
    ['respond-async, wait=3', 3],
    ['respond-async', undefined],
    ['handling=lenient; foo="a", wait=7; bar', 7],
    ['wait=1, wait=9', 1],
    ['wait=0', 0],
    ['wait=600', 60],
    ['wait', undefined],
    ['wait=', undefined],
    ['wait=-1', undefined],
    ['wait=1.5', undefined],
    ['wait=abc', undefined],
    ['wait="5', undefined],
    ['wait=99999999999999999999', undefined],
    ['await=5', undefined],
  ]
  for (const [header, seconds] of cases) assert.equal(preferredWait(header), seconds, header ?? 'none')
})

test('traceparent: a bad one is ignored', () => {
  const good = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  assert.equal(traceparentOf(good), good)
  assert.equal(traceparentOf(`cc${good.slice(2)}-more`), `cc${good.slice(2)}-more`)
  const bad = [
    '',
    good.toUpperCase(),
    `${good}-more`,
    `ff${good.slice(2)}`,
    good.replace(/4bf\w+/, '0'.repeat(32)),
    good.replace(/00f067\w+/, '0'.repeat(16)),
    good.slice(0, -1),
    `cc${good.slice(2)}-${'x'.repeat(300)}`,
  ]
  for (const header of bad) assert.equal(traceparentOf(header), undefined, header)
  assert.equal(traceparentOf([good]), undefined)
})

test('Idempotency-Key: 1 to 255 visible characters', () => {
  assert.equal(idempotencyKeyOf({}), undefined)
  assert.equal(idempotencyKeyOf({ 'idempotency-key': '"8e03978e-40d5"' }), '"8e03978e-40d5"')
  assert.equal(idempotencyKeyOf({ 'idempotency-key': 'x'.repeat(255) })?.length, 255)
  for (const key of ['', 'x'.repeat(256), 'two, keys', 'ümlaut', 'tab\there']) {
    assert.throws(() => idempotencyKeyOf({ 'idempotency-key': key }), { code: 'bad_request' }, key)
  }
})
