import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jobFilter } from './job-filter.ts'

const NOW = new Date('2026-03-01T12:00:00Z')
const filter = (query: string) => jobFilter(new URLSearchParams(query), NOW)

test('reads every filter of the contract', () => {
  const id = '0198c0de-0000-7000-8000-000000000001'
  assert.deepEqual(
    filter(
      `plugin=a&kind=event&name=n&state=failed,dead&error_code=timeout&correlation_id=${id.toUpperCase()}&replay_id=${id}&limit=200&cursor=abc`,
    ),
    {
      plugin: 'a',
      kind: 'event',
      name: 'n',
      states: ['failed', 'dead'],
      errorCode: 'timeout',
      correlationId: id,
      replayId: id,
      limit: 200,
      cursor: 'abc',
    },
  )
  assert.deepEqual(filter(''), {})
  assert.deepEqual(filter('plugin=&state='), {})
  assert.deepEqual(filter('state=failed&state=dead').states, ['failed', 'dead'])
})

test('times are ISO 8601 or how long ago', () => {
  const cases: readonly [string, string][] = [
    ['2h', '2026-03-01T10:00:00.000Z'],
    ['90s', '2026-03-01T11:58:30.000Z'],
    ['30m', '2026-03-01T11:30:00.000Z'],
    ['7d', '2026-02-22T12:00:00.000Z'],
    ['1w', '2026-02-22T12:00:00.000Z'],
    ['999999w', '1970-01-01T00:00:00.000Z'],
    ['2026-02-03', '2026-02-03T00:00:00.000Z'],
    ['2026-02-03T04:05', '2026-02-03T04:05:00.000Z'],
    ['2026-02-03T04:05:06.789Z', '2026-02-03T04:05:06.789Z'],
    ['2026-02-03T04:05:06%2B02:00', '2026-02-03T02:05:06.000Z'],
    ['2026-02-03T04:05:06+02:00', '2026-02-03T02:05:06.000Z'],
  ]
  for (const [text, iso] of cases) assert.equal(filter(`since=${text}`).since?.toISOString(), iso, text)
})

test('refuses what it does not understand, by name', () => {
  const bad = [
    'limit=0',
    'limit=201',
    'limit=1.5',
    'limit=x',
    'limit=-1',
    'limit=1e2',
    'state=nope',
    'state=failed,,dead',
    'kind=jobs',
    'since=yesterday',
    'since=2026-13-01',
    'until=2x',
    'until=12',
    'correlation_id=1',
    "replay_id=';--",
    'plugin=a%00b',
    'name=%0a',
    'plugin=a&plugin=b',
    'statee=failed',
    '__proto__=1',
    `name=${'x'.repeat(501)}`,
  ]
  for (const query of bad) {
    const name = query.split('=')[0] ?? ''
    assert.throws(
      () => filter(query),
      (error: Error) => 'code' in error && error.code === 'bad_request' && error.message.includes(`"${name}"`),
      query,
    )
  }
})
