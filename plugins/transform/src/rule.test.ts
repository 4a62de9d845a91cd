import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { applyRule, compile, fits } from './rule.ts'

const event = { name: 'github.push', data: { n: 1 }, time: '2030-01-01T00:00:00.000Z' }

test('a rule makes a value, or nothing', async () => {
  assert.deepEqual(await applyRule('(event) => ({ twice: event.data.n * 2 })', event), { twice: 2 })
  assert.equal(await applyRule('(event) => undefined', event), null)
  assert.equal(await applyRule('async ({ name }) => name', event), 'github.push')
})

test('a rule changes its own copy of the event only', async () => {
  await applyRule('(event) => { event.data.n = 5 }', event)
  assert.equal(event.data.n, 1)
})

test('what is no function, and what throws, is told', async () => {
  assert.throws(() => compile('1'), { code: 'rule_invalid', status: 422 })
  assert.throws(() => compile('('), { code: 'rule_invalid', status: 422 })
  await assert.rejects(applyRule('(event) => event.none.at', event), { code: 'rule_failed', status: 422 })
})

test('patterns', () => {
  for (const [pattern, name, expected] of [
    ['github.*', 'github.push', true],
    ['github.*', 'gitlab.push', false],
    ['*.opened', 'github.issues.opened', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['', 'a', false],
    ['**', 'a', true],
  ] as const)
    assert.equal(fits(pattern, name), expected, `${pattern} ${name}`)
  fc.assert(fc.property(fc.string(), (name) => fits('*', name)))
})
