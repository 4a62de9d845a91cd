import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hashOf, routeOf, type Route } from './address.ts'
import { JOB_FILTERS, REPLAY_FILTERS, filterOf, picked, queryOf, replayable } from './filters.ts'

const filter = (names: readonly string[]) =>
  fc.dictionary(fc.constantFrom(...names), fc.string({ unit: 'grapheme', minLength: 1 })).map((values) => picked(values, names))
const id = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => text !== 'new')
const route: fc.Arbitrary<Route> = fc.oneof(
  fc.constantFrom<Route>({ view: 'overview' }, { view: 'replays' }, { view: 'plugins' }, { view: 'schedules' }),
  filter(JOB_FILTERS).map((values): Route => ({ view: 'jobs', filter: values })),
  filter(REPLAY_FILTERS).map((values): Route => ({ view: 'new-replay', filter: values })),
  id.map((text): Route => ({ view: 'job', id: text })),
  id.map((text): Route => ({ view: 'replay', id: text })),
)

test('every view has an address that leads back to it', () => {
  fc.assert(fc.property(route, (given) => assert.deepEqual(routeOf(hashOf(given)), given)))
})

test('an address stays on the page, whatever stands in it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      for (const given of [{ view: 'job', id: text } as const, routeOf(text), routeOf(`#/${text}`)]) assert.match(hashOf(given), /^#\//)
    }),
  )
  assert.equal(hashOf({ view: 'job', id: '\ud800' }), '#/jobs/%EF%BF%BD')
  assert.equal(hashOf({ view: 'job', id: 'javascript:alert(1)' }), '#/jobs/javascript%3Aalert(1)')
})

test('an address that means nothing is told apart', () => {
  for (const hash of ['#/nothing', '#/jobs/a/b', '#/plugins/x', '#/jobs/%E0%A4%A', '#/jobs/'])
    assert.equal(routeOf(hash).view, 'nowhere', hash)
  for (const hash of ['', '#', '#/']) assert.deepEqual(routeOf(hash), { view: 'overview' })
  assert.deepEqual(routeOf('#/jobs?state=dead&__proto__=x&plugin=%20'), { view: 'jobs', filter: { state: 'dead' } })
})

test('filters are the same text in a query and in an address', () => {
  fc.assert(
    fc.property(filter(JOB_FILTERS), (values) => assert.deepEqual(filterOf(new URLSearchParams(queryOf(values)), JOB_FILTERS), values)),
  )
})

test('a bulk replay takes over what it can of a list’s filter', () => {
  assert.deepEqual(replayable({ plugin: 'shop', state: 'failed,active,dead', cursor: 'x', limit: '9' }), {
    plugin: 'shop',
    state: 'failed,dead',
  })
  assert.deepEqual(replayable({ state: 'queued' }), {})
})
