import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { jobId } from '../../event-log/ids.ts'
import { bullPriority, ownPriority } from './priority.ts'
import { recover } from './lost.ts'
import { correlationId, pluginName } from '../../event-log/ids.ts'
import type { StoredJob } from '../../event-log/job-state.ts'

const NOW = 1_000_000
const id = jobId('00000000-0000-7000-8000-000000000000')

function stored(attempt: number, state: StoredJob['state'] = 'retrying', runAt = 0): StoredJob {
  return {
    id,
    kind: 'action',
    plugin: pluginName('p'),
    name: 'a',
    state,
    priority: 50,
    attempt,
    maxAttempts: 100,
    payload: {},
    result: null,
    error: null,
    errorFingerprint: null,
    requestedAt: new Date(0),
    runAt: new Date(runAt),
    startedAt: null,
    finishedAt: null,
    correlationId: correlationId(id),
    causationId: null,
    replayOf: null,
    root: null,
    replayId: null,
    idempotencyKey: null,
    pluginVersion: '1.0.0',
    meta: {},
  }
}

test('our priorities become BullMQ’s, never 0, higher first, and back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }), (a, b) => {
      assert.ok(bullPriority(a) >= 1)
      assert.equal(Math.sign(bullPriority(a) - bullPriority(b)), Math.sign(b - a))
      assert.equal(ownPriority(bullPriority(a)), a)
    }),
  )
})

describe('a job that is given out again', () => {
  // Every history of a job on one stay on the queue: each holder either dies, or records its outcome but dies before Redis hears.
  const histories = fc.array(fc.constantFrom('dies', 'records and dies'), { maxLength: 12 })

  test('counts as lost exactly when the end of the last holder’s attempt is not recorded', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 }), histories, (attempts, history) => {
        let recorded = attempts
        history.forEach((holder, index) => {
          const before = recorded
          if (holder === 'records and dies') recorded++
          const recovery = recover({ jobId: id, priority: 50, attempts, stalls: index + 1 }, stored(recorded), NOW)
          assert.deepEqual(recovery, { kind: 'run', lost: recorded === before, attempts: recorded === before ? recorded + 1 : recorded })
          // The next holder records the loss before it runs.
          if (recovery.kind === 'run' && recovery.lost) recorded++
        })
      }),
    )
  })

  test('is put back when its outcome was recorded and the next attempt is not due', () => {
    const recovery = recover({ jobId: id, priority: 50, attempts: 0, stalls: 1 }, stored(1, 'retrying', NOW + 5), NOW)
    assert.deepEqual(recovery, { kind: 'put back', runAt: NOW + 5, attempts: 1 })
  })

  test('that has finished is not lost', () => {
    assert.deepEqual(recover({ jobId: id, priority: 50, attempts: 0, stalls: 1 }, stored(1, 'succeeded'), NOW), {
      kind: 'run',
      lost: false,
      attempts: 1,
    })
  })
})
