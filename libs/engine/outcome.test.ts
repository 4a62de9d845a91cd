import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { correlationId, evolve, jobId, pluginName } from '../event-log/index.ts'
import type { JobLogEvent, StoredJob } from '../event-log/index.ts'
import { decide, lostRow, outcomeRow } from './outcome.ts'
import type { DecideInput } from './outcome.ts'
import type { HandlerResult } from './plugin-port.ts'

const NOW = Date.UTC(2026, 0, 1)
const error = { code: 'busy', message: 'try later' }
const input = (result: HandlerResult, extra: Partial<DecideInput> = {}): DecideInput => ({
  result,
  attempt: 1,
  maxAttempts: 3,
  retry: { maxAttempts: 3, backoffSeconds: 2, maxBackoffSeconds: 60 },
  now: NOW,
  random: 0.5,
  ...extra,
})

const result: fc.Arbitrary<HandlerResult> = fc.oneof(
  fc.constant<HandlerResult>({ kind: 'ok', result: { status: 'ok' } }),
  fc
    .record({ retryable: fc.boolean(), after: fc.option(fc.integer({ min: 0, max: 1000 })) })
    .map(({ retryable, after }): HandlerResult => ({
      kind: 'error',
      error,
      retryable,
      ...(after === null ? {} : { retryAfterSeconds: after }),
    })),
  fc
    .record({ final: fc.boolean(), after: fc.option(fc.integer({ min: 0, max: 1000 })) })
    .map(({ final, after }): HandlerResult => ({ kind: 'threw', error, final, ...(after === null ? {} : { retryAfterSeconds: after }) })),
)

function job(attempt: number, maxAttempts: number): StoredJob {
  const id = jobId('018f0000-0000-7000-8000-000000000001')
  const requested: JobLogEvent = {
    type: 'job.requested',
    kind: 'action',
    name: 'order',
    payload: {},
    priority: 50,
    max_attempts: maxAttempts,
    correlation_id: correlationId(id),
    plugin_version: '1.0.0',
    source: 'http',
  }
  return { ...evolve(undefined, { stream: id, plugin: pluginName('shop'), recordedAt: new Date(NOW), event: requested }), attempt }
}

describe('what becomes of a job', () => {
  test('a success succeeds, a final error fails, whatever attempts are left', () => {
    assert.deepEqual(decide(input({ kind: 'ok', result: { status: 'ok', n: 1 } }, { attempt: 3 })), {
      kind: 'succeeded',
      result: { status: 'ok', n: 1 },
    })
    assert.deepEqual(decide(input({ kind: 'error', error, retryable: false })), { kind: 'failed', error })
    assert.deepEqual(decide(input({ kind: 'threw', error, final: true })), { kind: 'failed', error })
  })

  test('throws and retryable errors are retried with backoff, or when the handler says so', () => {
    assert.deepEqual(decide(input({ kind: 'threw', error }, { attempt: 2 })), { kind: 'retry', error, runAt: new Date(NOW + 2000) })
    assert.deepEqual(decide(input({ kind: 'error', error, retryable: true, retryAfterSeconds: 90 })), {
      kind: 'retry',
      error,
      runAt: new Date(NOW + 90_000),
    })
    assert.deepEqual(decide(input({ kind: 'threw', error, retryAfterSeconds: 0 })), { kind: 'retry', error, runAt: new Date(NOW) })
  })

  test('the last attempt is dead, also when the handler asks for another', () => {
    assert.deepEqual(decide(input({ kind: 'threw', error, retryAfterSeconds: 5 }, { attempt: 3 })), { kind: 'dead', error })
    assert.deepEqual(decide(input({ kind: 'error', error, retryable: true }, { attempt: 1, maxAttempts: 1 })), { kind: 'dead', error })
  })

  test('never retried beyond the last attempt, never before now', () => {
    fc.assert(
      fc.property(
        result,
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 10 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (each, attempt, maxAttempts, random) => {
          const outcome = decide(input(each, { attempt, maxAttempts, random }))
          if (outcome.kind === 'retry') assert.ok(attempt < maxAttempts && outcome.runAt.getTime() >= NOW)
          if (outcome.kind === 'dead') assert.ok(attempt >= maxAttempts)
        },
      ),
    )
  })
})

test('the rows of every outcome are a legal step of the state machine', () => {
  fc.assert(
    fc.property(result, fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 5 }), fc.boolean(), (each, before, left, lost) => {
      const stored = job(before, before + left)
      const context = { job: stored, attempt: before + 1, worker: 'w/1', startedAt: NOW, finishedAt: NOW + 5, pluginVersion: '1.1.0' }
      const outcome = decide(input(each, { attempt: before + 1, maxAttempts: before + left }))
      const row = lost ? lostRow(stored, 'w/2', NOW) : outcomeRow(outcome, context)
      const fact = (event: JobLogEvent) => ({ stream: stored.id, plugin: stored.plugin, recordedAt: new Date(NOW), event })
      const first = evolve(stored, fact(asEvent(row)))
      const last = row.state === 'dead' ? evolve(first, fact({ type: 'job.dead', ...row.dead })) : first
      assert.deepEqual([last.state, last.attempt], [row.state, before + 1])
      if (lost) assert.equal(row.state, left === 1 ? 'dead' : 'retrying')
    }),
  )
})

function asEvent(row: ReturnType<typeof outcomeRow>): JobLogEvent {
  switch (row.type) {
    case 'job.succeeded':
      return { type: row.type, ...row.data }
    case 'job.failed':
      return { type: row.type, ...row.data }
    case 'job.attempt_failed':
      return { type: row.type, ...row.data }
    case 'job.attempt_lost':
      return { type: row.type, ...row.data }
  }
}
