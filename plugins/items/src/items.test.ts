import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpError, validated } from '@xcore/sdk'
import { ItemChange, NewItem } from './item.ts'
import { ItemStore, MAX_ITEMS } from './store.ts'

test('create, read, update, delete', () => {
  const store = new ItemStore()
  const item = store.create('1', { name: 'Lamp', price: 5 })
  assert.deepEqual(item, { id: '1', name: 'Lamp', price: 5 })
  assert.deepEqual(store.update('1', { price: 6 }), { id: '1', name: 'Lamp', price: 6 })
  assert.deepEqual(store.list(), [store.find('1')])
  assert.equal(store.update('2', { price: 6 }), undefined)
  assert.equal(store.delete('1'), true)
  assert.equal(store.delete('1'), false)
  assert.equal(store.find('1'), undefined)
})

test('the same id again makes no second item', () => {
  const store = new ItemStore()
  assert.equal(store.create('1', { name: 'a' }), store.create('1', { name: 'a' }))
  assert.equal(store.list().length, 1)
})

test('the store has a limit', () => {
  const store = new ItemStore()
  for (let n = 0; n < MAX_ITEMS; n += 1) store.create(String(n), { name: 'a' })
  assert.equal(store.create('more', { name: 'a' }), undefined)
  assert.equal(store.create('0', { name: 'a' })?.id, '0')
})

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
