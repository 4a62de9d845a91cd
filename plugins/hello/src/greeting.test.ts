import assert from 'node:assert/strict'
import { test } from 'node:test'
import { greeting, LANGUAGES, Welcomes } from './greeting.ts'

test('greets in each language', () => {
  assert.equal(greeting('Ada'), 'Hello, Ada!')
  assert.equal(new Set(LANGUAGES.map((language) => greeting('Ada', language))).size, LANGUAGES.length)
})

test('welcomes each user once and keeps the newest', () => {
  const welcomes = new Welcomes(2)
  assert.equal(welcomes.add('e1', { username: 'ada' }), 'Hello, ada!')
  assert.equal(welcomes.add('e1', { username: 'ada' }), undefined)
  assert.equal(welcomes.add('e2', { name: 'nobody' }), undefined)
  assert.equal(welcomes.add('e2', null), undefined)
  welcomes.add('e3', { username: 'bob' })
  welcomes.add('e4', { username: 'eve' })
  assert.deepEqual(welcomes.newestFirst(), ['Hello, eve!', 'Hello, bob!'])
})
