import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EVERYTHING } from '../../libs/engine/consumers.ts'
import { selectionOf } from './selection.ts'

const GROUPS = { heavy: { plugins: ['pdf-*', 'video'], concurrency: 4 }, light: { plugins: ['*'], concurrency: null } }

test('without options every plugin is taken', () => {
  assert.deepEqual(selectionOf(GROUPS, {}), EVERYTHING)
})

test('a group takes its plugins with its concurrency, unless another one is given', () => {
  assert.deepEqual(selectionOf(GROUPS, { group: 'heavy' }), { name: 'heavy', plugins: ['pdf-*', 'video'], concurrency: 4 })
  assert.equal(selectionOf(GROUPS, { group: 'heavy', concurrency: '9' }).concurrency, 9)
  assert.equal(selectionOf(GROUPS, { group: 'light' }).concurrency, EVERYTHING.concurrency)
})

test('plugins are named one by one', () => {
  assert.deepEqual(selectionOf({}, { plugins: 'a, b' }).plugins, ['a', 'b'])
})

test('what makes no sense is refused as a wrong setting', () => {
  const refused = [
    { group: 'hevy' },
    { group: '__proto__' },
    { group: 'heavy', plugins: 'a' },
    { plugins: ' ,' },
    { concurrency: '0' },
    { concurrency: '1.5' },
    { concurrency: 'many' },
  ]
  for (const options of refused) assert.throws(() => selectionOf(GROUPS, options), { code: 'config_invalid' })
  assert.throws(() => selectionOf(GROUPS, { group: 'hevy' }), /Did you mean "heavy"/)
})
