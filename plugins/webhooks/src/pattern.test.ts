import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fitsPattern, patternProblem } from './pattern.ts'

test('patterns of event names', () => {
  for (const [pattern, name, fits] of [
    ['user.created', 'user.created', true],
    ['user.created', 'user.created2', false],
    ['user.*', 'user.created', true],
    ['user.*', 'user.', true],
    ['user.*', 'users.created', false],
    ['*', '', true],
    ['*.deleted', 'a.b.deleted', true],
    ['a*b*c', 'aXbYbZc', true],
    ['a*b*c', 'acb', false],
    ['v?', 'v1', true],
    ['v?', 'v', false],
    ['v[0-9a]', 'v7', true],
    ['v[0-9a]', 'va', true],
    ['v[!0-9]', 'v7', false],
    ['v[]]', 'v]', true],
    ['a.b', 'axb', false],
    ['?', '😀', true],
  ] as const) {
    assert.equal(fitsPattern(pattern, name), fits, `${pattern} ${name}`)
  }
  assert.match(patternProblem('v[0') ?? '', /"\]"/)
  assert.equal(patternProblem('v[0]'), undefined)
  // Would take a backtracking matcher longer than the sun shines.
  assert.equal(fitsPattern('*a'.repeat(60), 'a'.repeat(255) + 'b'), false)
})
