import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSelected, selectionOf } from './selection.ts'

const GROUPS = { heavy: { plugins: ['pdf-*', 'video'], concurrency: 4 } }

test('without options every plugin is taken', () => {
  const selection = selectionOf(GROUPS, {})
  assert.equal(selection.concurrency, null)
  assert.ok(isSelected(selection, 'anything'))
})

test('a group takes what its globs match, with its concurrency unless another is given', () => {
  const selection = selectionOf(GROUPS, { group: 'heavy' })
  assert.equal(selection.concurrency, 4)
  assert.ok(isSelected(selection, 'pdf-a'))
  assert.ok(isSelected(selection, 'video'))
  assert.ok(!isSelected(selection, 'hello'))
  assert.equal(selectionOf(GROUPS, { group: 'heavy', concurrency: '9' }).concurrency, 9)
})

test('plugins are named one by one', () => {
  const selection = selectionOf({}, { plugins: 'a, b' })
  assert.deepEqual(['a', 'b', 'c'].map((plugin) => isSelected(selection, plugin)), [true, true, false])
})

test('what makes no sense is refused as a wrong setting', () => {
  const refused = [{ group: 'hevy' }, { group: '__proto__' }, { group: 'heavy', plugins: 'a' }, { plugins: ' ,' }, { concurrency: '0' }, { concurrency: '1.5' }, { concurrency: 'many' }]
  for (const options of refused) assert.throws(() => selectionOf(GROUPS, options), { code: 'config_invalid' })
  assert.throws(() => selectionOf(GROUPS, { group: 'hevy' }), /Did you mean "heavy"/)
})
