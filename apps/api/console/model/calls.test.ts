import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressOf } from './calls.ts'

test('a call’s address is relative to the page, with its parameters escaped', () => {
  assert.equal(addressOf('story', { id: 'a/b c' }, ''), './jobs/a%2Fb%20c/events')
  assert.equal(addressOf('pauseSchedule', { plugin: 'shop', id: 'nightly' }, ''), './admin/schedules/shop/nightly/pause')
  assert.equal(addressOf('jobs', {}, 'state=dead'), './jobs?state=dead')
})

test('no parameter leads to another call', () => {
  for (const id of ['', '.', '..', '\ud800']) assert.equal(addressOf('cancelJob', { id }, ''), null)
  assert.equal(addressOf('cancelJob', {}, ''), null)
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (id) => {
      const address = addressOf('cancelJob', { id }, '')
      if (address !== null) assert.match(new URL(address, 'http://127.0.0.1/console').pathname, /^\/jobs\/[^/]+\/cancel$/)
    }),
  )
})
