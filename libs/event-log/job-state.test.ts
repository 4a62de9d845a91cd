import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { correlationId, jobId, pluginName } from './ids.ts'
import { isTerminal } from './job.ts'
import type { StoredState } from './job.ts'
import { IllegalTransition, evolve } from './job-state.ts'
import type { JobFact, StoredJob } from './job-state.ts'
import type { JobLogEvent } from './log-events.ts'

const ID = jobId('018f0000-0000-7000-8000-000000000001')
const T0 = Date.UTC(2026, 0, 1)
const at = (n: number) => new Date(T0 + n * 1000).toISOString()
const error = { code: 'handler_error', message: 'no', stack: 'Error: at secret.ts:1' }

function fact(event: JobLogEvent, n = 0): JobFact {
  return { stream: ID, plugin: pluginName('shop'), recordedAt: new Date(T0 + n * 1000), event }
}

function requested(maxAttempts: number, runAt?: string): JobLogEvent {
  const base = { type: 'job.requested', kind: 'action', name: 'order', payload: { n: 1 }, priority: 50, max_attempts: maxAttempts } as const
  return {
    ...base,
    correlation_id: correlationId(ID),
    plugin_version: '1.0.0',
    source: 'http',
    ...(runAt === undefined ? {} : { run_at: runAt }),
  }
}

const run = (attempt: number) => ({
  attempt,
  worker: 'w/1',
  started_at: at(attempt * 2),
  finished_at: at(attempt * 2 + 1),
  plugin_version: `1.0.${attempt}`,
})
const make = {
  succeeded: (attempt: number): JobLogEvent => ({ type: 'job.succeeded', ...run(attempt), result: { status: 'ok' } }),
  failed: (attempt: number): JobLogEvent => ({ type: 'job.failed', ...run(attempt), error }),
  attemptFailed: (attempt: number): JobLogEvent => ({ type: 'job.attempt_failed', ...run(attempt), error, retry_at: at(attempt * 2 + 5) }),
  attemptLost: (attempt: number): JobLogEvent => ({
    type: 'job.attempt_lost',
    attempt,
    worker: 'w/2',
    found_at: at(attempt * 2 + 1),
    error,
  }),
  interrupted: (attempt: number): JobLogEvent => ({ type: 'job.attempt_interrupted', ...run(attempt), error }),
  dead: (attempt: number): JobLogEvent => ({ type: 'job.dead', attempt, finished_at: at(attempt * 2 + 1), error }),
  cancelled: (): JobLogEvent => ({ type: 'job.cancelled', finished_at: at(99), reason: 'no need' }),
}

interface Log {
  readonly events: readonly JobLogEvent[]
  readonly ends: StoredState
  readonly attempts: number
  readonly maxAttempts: number
}

/** Logs as the engine writes them: some failed or lost attempts, then an end, or none yet. */
const legalLog: fc.Arbitrary<Log> = fc
  .record({
    maxAttempts: fc.integer({ min: 1, max: 8 }),
    scheduled: fc.boolean(),
    bad: fc.array(fc.constantFrom('attemptFailed' as const, 'attemptLost' as const), { maxLength: 8 }),
    end: fc.constantFrom('succeeded' as const, 'failed' as const, 'dead' as const, 'cancelled' as const, 'none' as const),
  })
  .map(({ maxAttempts, scheduled, bad, end }) => {
    const left = end === 'dead' ? maxAttempts : maxAttempts - 1
    const failures = end === 'dead' ? Array.from({ length: left }, (_, n) => bad[n] ?? 'attemptFailed') : bad.slice(0, left)
    const events: JobLogEvent[] = [requested(maxAttempts, scheduled ? at(500) : undefined), ...failures.map((kind, n) => make[kind](n + 1))]
    const next = failures.length + 1
    if (end === 'succeeded' || end === 'failed') events.push(make[end](next))
    if (end === 'dead') events.push(make.dead(failures.length))
    if (end === 'cancelled') events.push(make.cancelled())
    const open = failures.length > 0 ? 'retrying' : scheduled ? 'scheduled' : 'queued'
    return {
      events,
      maxAttempts,
      ends: end === 'none' ? open : end,
      attempts: failures.length + (end === 'succeeded' || end === 'failed' ? 1 : 0),
    }
  })

function fold(events: readonly JobLogEvent[]): StoredJob {
  const job = events.reduce<StoredJob | undefined>((sofar, event) => evolve(sofar, fact(event)), undefined)
  assert.ok(job !== undefined)
  return job
}

const anyEvent = fc
  .integer({ min: 1, max: 9 })
  .chain((attempt) =>
    fc.constantFrom(
      make.succeeded(attempt),
      make.failed(attempt),
      make.attemptFailed(attempt),
      make.attemptLost(attempt),
      make.dead(attempt),
      make.cancelled(),
      requested(3),
    ),
  )

describe('the state machine of a job', () => {
  test('every legal log ends in the state it tells of', () => {
    fc.assert(
      fc.property(legalLog, ({ events, ends, attempts, maxAttempts }) => {
        const job = fold(events)
        assert.deepEqual([job.state, job.attempt, job.maxAttempts], [ends, attempts, maxAttempts])
        assert.equal(job.finishedAt !== null, isTerminal(job.state))
        assert.equal(job.result !== null, job.state === 'succeeded')
        if (job.state === 'failed' || job.state === 'dead') assert.deepEqual(job.error, { code: error.code, message: error.message })
        if (job.state === 'succeeded') assert.equal(job.error, null)
      }),
    )
  })

  test('interruptions change nothing, wherever they come', () => {
    fc.assert(
      fc.property(legalLog, fc.array(fc.nat(20), { maxLength: 5 }), ({ events }, places) => {
        const [first, ...rest] = events
        assert.ok(first !== undefined)
        const noted = places.reduce((sofar, at) => sofar.toSpliced(at % (sofar.length + 1), 0, make.interrupted(1)), rest)
        assert.deepEqual(fold([first, ...noted]), fold(events))
      }),
    )
  })

  test('stacks stay in the log', () => {
    fc.assert(fc.property(legalLog, ({ events }) => assert.ok(!JSON.stringify(fold(events)).includes('secret.ts'))))
  })

  test('nothing follows an end', () => {
    fc.assert(
      fc.property(
        legalLog.filter(({ ends }) => isTerminal(ends)),
        anyEvent,
        ({ events }, more) => {
          const job = fold(events)
          assert.throws(() => evolve(job, fact(more)), IllegalTransition)
        },
      ),
    )
  })

  test('only the next attempt is taken, and none beyond the last', () => {
    fc.assert(
      fc.property(
        legalLog.filter(({ ends }) => !isTerminal(ends)),
        fc.integer({ min: 0, max: 10 }),
        ({ events, attempts, maxAttempts }, attempt) => {
          const job = fold(events)
          const legal = attempt === attempts + 1 && attempt <= maxAttempts
          for (const event of [make.succeeded(attempt), make.failed(attempt), make.attemptFailed(attempt), make.attemptLost(attempt)]) {
            if (legal) assert.equal(evolve(job, fact(event)).attempt, attempt)
            else assert.throws(() => evolve(job, fact(event)), IllegalTransition)
          }
        },
      ),
    )
  })

  test('a log starts with its request, and has only one', () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        if (event.type === 'job.requested') assert.throws(() => evolve(fold([event]), fact(event)), IllegalTransition)
        else assert.throws(() => evolve(undefined, fact(event)), /does not follow an unknown job: the log is damaged/)
      }),
    )
  })

  test('evolve leaves the job it was given as it was', () => {
    const job = fold([requested(3)])
    const before = structuredClone(job)
    evolve(job, fact(make.attemptFailed(1)))
    assert.deepEqual(job, before)
  })

  test('a retry moves the due time and keeps what ran; a later success clears the error', () => {
    const retrying = fold([requested(3), make.attemptFailed(1)])
    assert.deepEqual([retrying.runAt.toISOString(), retrying.startedAt?.toISOString(), retrying.pluginVersion], [at(7), at(2), '1.0.1'])
    const done = evolve(retrying, fact(make.succeeded(2)))
    assert.deepEqual(
      [done.startedAt?.toISOString(), done.finishedAt?.toISOString(), done.pluginVersion, done.error],
      [at(4), at(5), '1.0.2', null],
    )
  })
})
