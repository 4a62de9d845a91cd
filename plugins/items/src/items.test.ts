import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpError, validated } from '@xcore/sdk'
import { ItemChange, NewItem } from './item.ts'

test('bodies: a name is needed, an id is not the caller’s to give, more members are kept', () => {
  assert.deepEqual(validated(NewItem, { name: 'a', colour: 'red' }), { name: 'a', colour: 'red' })
  for (const body of [
    undefined,
    {},
    { name: '' },
    { name: 5 },
    { name: 'a', id: '1' },
    { name: 'a', price: -1 },
    { name: 'a', tags: [''] },
    [],
  ]) {
    assert.throws(() => validated(NewItem, body), HttpError, JSON.stringify(body))
  }
  assert.deepEqual(validated(ItemChange, { id: '1', price: 2 }), { id: '1', price: 2 })
  for (const body of [{}, { name: '' }, { price: '2' }]) assert.throws(() => validated(ItemChange, body), HttpError, JSON.stringify(body))
})
