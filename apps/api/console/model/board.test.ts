import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countByCode, failuresOf, pluginsOf, queuesOf } from './answers.ts'
import { boardOf, totalsOf } from './board.ts'
import { toneOf } from './tone.ts'
import { perMinute, sampled, trendText, type Sample } from './trend.ts'

const plugin = (name: string, more: object = {}) => ({ name, state: 'ready', paused: false, last_error: null, sandbox: null, ...more })
const queue = (name: string, waiting: number, oldest: number | null = null) => ({
  plugin: name,
  waiting,
  delayed: 1,
  active: 2,
  oldest_waiting_seconds: oldest,
  rate_limit: null,
})

test('what has trouble comes first, then what is busy', () => {
  const plugins = pluginsOf({
    plugins: [
      plugin('calm'),
      plugin('broken', { state: 'failed', last_error: { code: 'manifest_invalid', message: 'line 3' } }),
      plugin('held', { paused: true }),
      plugin('busy'),
      plugin('crashing', { sandbox: { ring: 'bwrap', state: 'suspended', circuit: 'open', restarts: 6, memory_mb: null, last_end: null } }),
    ],
  })
  const rows = boardOf(plugins, queuesOf({ queues: [queue('busy', 900, 5), queue('held', 3, 400), queue('gone', 7), queue('calm', 0)] }))
  assert.deepEqual(
    rows.map(({ name, troubles }) => [name, ...troubles]),
    [
      ['held', 'paused', 'waits too long'],
      ['gone', 'not loaded here'],
      ['broken', 'failed'],
      ['crashing', 'suspended'],
      ['busy'],
      ['calm'],
    ],
  )
})

test('totals of all queues', () => {
  const queues = queuesOf({ queues: [queue('a', 3, 12), queue('b', 4)] })
  assert.deepEqual(totalsOf(queues), { waiting: 7, running: 4, delayed: 2, oldestSeconds: 12 })
  assert.deepEqual(totalsOf([]), { waiting: 0, running: 0, delayed: 0, oldestSeconds: null })
})

test('answers of another shape are shown as far as they go', () => {
  for (const odd of [null, 7, 'text', [], {}, { queues: [null, 7], plugins: {}, failures: 'x' }]) {
    assert.ok(boardOf(pluginsOf(odd), queuesOf(odd)).every(({ troubles }) => troubles.length === 0))
    assert.deepEqual(failuresOf(odd), [])
  }
  assert.equal(toneOf('something new'), 'quiet')
  assert.equal(toneOf('toString'), 'quiet')
})

test('failures by code', () => {
  const failures = failuresOf({
    failures: [
      { error_code: 'timeout', count: 2 },
      { error_code: 'handler_error', count: 3 },
      { error_code: 'timeout', count: 4 },
    ],
  })
  assert.deepEqual(countByCode(failures), [
    ['timeout', 6],
    ['handler_error', 3],
  ])
})

test('whether a queue grows', () => {
  const over = (waiting: readonly number[], everyMs = 3_000): readonly Sample[] =>
    waiting.reduce<readonly Sample[]>((samples, value, index) => sampled(samples, { atMs: index * everyMs, waiting: value }), [])
  assert.equal(trendText(over([5, 9])), '')
  assert.equal(trendText(over([100, 102, 104, 106, 108])), 'growing 40/min')
  assert.equal(trendText(over([400, 340, 280, 220, 160])), 'shrinking 1,200/min, empty in 8 s')
  assert.equal(trendText(over([7, 7, 7, 7])), 'steady')
  assert.equal(trendText(over([9, 6, 3, 0])), '')
  assert.equal(trendText([]), '')
  // Only the last two minutes count.
  const turned = over([...Array.from({ length: 60 }, (_, index) => 1000 - index), ...Array.from({ length: 60 }, () => 940)])
  assert.equal(perMinute(turned), 0)
  assert.ok(turned.length <= 41)
})
