import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pluginName } from '../event-log/index.ts'
import type { Job, JobId, LogEventType } from '../event-log/index.ts'
import { done, failed, interrupted, testPlugins, threw } from './testing/plugins.ts'
import { testEngine } from './testing/running.ts'
import type { RunningEngine } from './engine.ts'

const WAIT_MS = 10_000

async function outcome(engine: RunningEngine, id: JobId): Promise<Job> {
  const job = await engine.wait(id, WAIT_MS)
  assert.ok(job !== undefined && job.finishedAt !== null, `job ${id} has not finished: ${job?.state}`)
  return job
}

async function types(engine: RunningEngine, id: JobId): Promise<LogEventType[]> {
  return ((await engine.history(id)) ?? []).map((logged) => logged.event.type)
}

describe('the job path', () => {
  test('a job that succeeds costs two log rows, one jobs row and no queue row', async () => {
    await using t = await testEngine(testPlugins({ shop: { handlers: { order: ({ job }) => done({ got: job.payload }) } } }))
    const { jobId, state } = await t.engine.submit({ plugin: 'shop', action: 'order', payload: { n: 1 }, source: 'http', awaited: true })
    assert.equal(state, 'queued')
    const job = await outcome(t.engine, jobId)
    assert.equal(job.state, 'succeeded')
    assert.deepEqual(job.result, { status: 'ok', got: { n: 1 } })
    assert.equal(job.attempt, 1)
    assert.deepEqual(await types(t.engine, jobId), ['job.requested', 'job.succeeded'])
    assert.deepEqual(await t.engine.get(jobId), job)
    assert.deepEqual(await t.database.run('select id from pgboss.job where id = $1', [jobId]), [])
  })

  test('an attempt that is interrupted begins again under its number, and the history tells why', async () => {
    const turns: Record<string, number> = {}
    const again = (job: Job, begun: boolean) => ((turns[job.id] = (turns[job.id] ?? 0) + 1) < 3 ? interrupted(begun) : done())
    const handlers = { shared: ({ job }: { job: Job }) => again(job, true), waited: ({ job }: { job: Job }) => again(job, false) }
    await using t = await testEngine(testPlugins({ shop: { handlers } }))
    const submit = (action: string) => t.engine.submit({ plugin: 'shop', action, payload: {}, source: 'http' })
    const [shared, waited] = await Promise.all([submit('shared'), submit('waited')])
    const job = await outcome(t.engine, shared.jobId)
    assert.deepEqual([job.state, job.attempt, job.error], ['succeeded', 1, null])
    const history = (await t.engine.history(shared.jobId)) ?? []
    assert.deepEqual(
      history.map(({ event }) => event.type),
      ['job.requested', 'job.attempt_interrupted', 'job.attempt_interrupted', 'job.succeeded'],
    )
    const note = history[1]?.event
    assert.ok(note?.type === 'job.attempt_interrupted')
    assert.deepEqual([note.attempt, note.worker, note.error.code], [1, 'test/1', 'sandbox_interrupted'])
    // Where nothing had begun there is nothing to tell.
    assert.equal((await outcome(t.engine, waited.jobId)).attempt, 1)
    assert.deepEqual(await types(t.engine, waited.jobId), ['job.requested', 'job.succeeded'])
    assert.doesNotMatch(await t.metrics.text(), /job_attempts_failed_total\{/)
  })

  test('throws are retried until attempts are used up, then the job is dead', async () => {
    await using t = await testEngine(testPlugins({ shop: { handlers: { order: () => threw('no stock') } } }))
    const { jobId } = await t.engine.submit({ plugin: 'shop', action: 'order', payload: {}, source: 'http' })
    const job = await outcome(t.engine, jobId)
    assert.equal(job.state, 'dead')
    assert.equal(job.attempt, 3)
    assert.deepEqual(job.error, { code: 'handler_error', message: 'no stock' })
    assert.deepEqual(await types(t.engine, jobId), [
      'job.requested',
      'job.attempt_failed',
      'job.attempt_failed',
      'job.attempt_failed',
      'job.dead',
    ])
  })

  test('an error result is final, unless it is retryable', async () => {
    let calls = 0
    await using t = await testEngine(
      testPlugins({
        shop: { handlers: { no: () => failed('sold_out'), later: () => (++calls < 3 ? failed('busy', { retryable: true }) : done()) } },
      }),
    )
    const no = await t.engine.submit({ plugin: 'shop', action: 'no', payload: {}, source: 'http' })
    const later = await t.engine.submit({ plugin: 'shop', action: 'later', payload: {}, source: 'http' })
    assert.equal((await outcome(t.engine, no.jobId)).state, 'failed')
    assert.deepEqual(await types(t.engine, no.jobId), ['job.requested', 'job.failed'])
    const job = await outcome(t.engine, later.jobId)
    assert.deepEqual([job.state, job.attempt, job.error], ['succeeded', 3, null])
  })

  test('a hung handler is given up at its timeout and its slot is freed', async () => {
    const released = Promise.withResolvers<void>()
    await using t = await testEngine(
      testPlugins({
        shop: {
          limits: { concurrency: 1 },
          settings: { timeoutSeconds: 0.2, retry: { maxAttempts: 1, backoffSeconds: 0, maxBackoffSeconds: 0 } },
          handlers: { hang: () => released.promise.then(() => done()), quick: () => done() },
        },
      }),
    )
    const hung = await t.engine.submit({ plugin: 'shop', action: 'hang', payload: {}, source: 'http' })
    const quick = await t.engine.submit({ plugin: 'shop', action: 'quick', payload: {}, source: 'http' })
    const job = await outcome(t.engine, hung.jobId)
    assert.deepEqual([job.state, job.error?.code], ['dead', 'timeout'])
    assert.equal((await outcome(t.engine, quick.jobId)).state, 'succeeded')
    assert.match(await t.metrics.text(), /xcore_handlers_abandoned_total\{plugin="shop"\} 1/)
    released.resolve()
  })

  test('higher priority runs first', async () => {
    const order: unknown[] = []
    await using t = await testEngine(
      testPlugins({ shop: { limits: { concurrency: 1 }, handlers: { note: ({ job }) => (order.push(job.payload), done()) } } }),
      { consume: false },
    )
    const ids: JobId[] = []
    for (const priority of [10, 90, 50, 100, 0]) {
      ids.push((await t.engine.submit({ plugin: 'shop', action: 'note', payload: priority, priority, source: 'http' })).jobId)
    }
    await t.consumers.start()
    for (const id of ids) await outcome(t.engine, id)
    await t.consumers.stop(1000)
    assert.deepEqual(order, [100, 90, 50, 10, 0])
  })

  test('a delayed job is scheduled, then runs', async () => {
    await using t = await testEngine(testPlugins({ shop: { handlers: { order: () => done() } } }))
    const { jobId, state } = await t.engine.submit({ plugin: 'shop', action: 'order', payload: {}, delaySeconds: 0.4, source: 'http' })
    assert.equal(state, 'scheduled')
    assert.equal((await t.engine.get(jobId))?.state, 'scheduled')
    const job = await outcome(t.engine, jobId)
    assert.ok(job.startedAt !== null && job.startedAt >= job.runAt)
  })
})

describe('idempotency', () => {
  test('40 racing callers with one key make one job', async () => {
    await using t = await testEngine(testPlugins({ shop: { handlers: { order: () => done() } } }))
    await using other = await testEngine(testPlugins({ shop: { handlers: { order: () => done() } } }), { url: t.url, consume: false })
    const calls = Array.from({ length: 40 }, (_, n) =>
      (n % 2 === 0 ? t : other).engine.submit({
        plugin: 'shop',
        action: 'order',
        payload: { same: true },
        idempotencyKey: 'k1',
        source: 'http',
      }),
    )
    const answers = await Promise.all(calls)
    assert.equal(new Set(answers.map((answer) => answer.jobId)).size, 1)
    assert.equal(answers.filter((answer) => !answer.replayed).length, 1)
    assert.equal((await t.engine.list({ plugin: 'shop' })).jobs.length, 1)
  })

  test('the same key with another body is refused', async () => {
    await using t = await testEngine(testPlugins({ shop: { handlers: { order: () => done() } } }))
    await t.engine.submit({ plugin: 'shop', action: 'order', payload: { a: 1, b: 2 }, idempotencyKey: 'k', source: 'http' })
    const again = await t.engine.submit({ plugin: 'shop', action: 'order', payload: { b: 2, a: 1 }, idempotencyKey: 'k', source: 'http' })
    assert.equal(again.replayed, true)
    await assert.rejects(t.engine.submit({ plugin: 'shop', action: 'order', payload: { a: 2 }, idempotencyKey: 'k', source: 'http' }), {
      code: 'idempotency_mismatch',
    })
  })
})

describe('cancel', () => {
  test('a waiting job never runs', async () => {
    await using t = await testEngine(testPlugins({ shop: { handlers: { order: () => done() } } }))
    const { jobId } = await t.engine.submit({ plugin: 'shop', action: 'order', payload: {}, delaySeconds: 60, source: 'http' })
    assert.equal((await t.engine.cancel(jobId, 'not needed')).state, 'cancelled')
    assert.equal((await t.engine.cancel(jobId)).state, 'cancelled')
    assert.deepEqual(await types(t.engine, jobId), ['job.requested', 'job.cancelled'])
    assert.deepEqual(await t.database.run('select id from pgboss.job where id = $1', [jobId]), [])
  })

  test('a running handler is aborted and its outcome fenced off', async () => {
    const started = Promise.withResolvers<void>()
    const aborted = Promise.withResolvers<void>()
    await using t = await testEngine(
      testPlugins({
        shop: {
          handlers: {
            order: ({ signal }) =>
              new Promise((resolve) => {
                started.resolve()
                signal.addEventListener('abort', () => (aborted.resolve(), resolve(done())))
              }),
          },
        },
      }),
    )
    const { jobId } = await t.engine.submit({ plugin: 'shop', action: 'order', payload: {}, source: 'http' })
    await started.promise
    assert.equal((await t.engine.get(jobId))?.state, 'active')
    await t.engine.cancel(jobId)
    await aborted.promise
    assert.equal((await t.engine.get(jobId))?.state, 'cancelled')
    await assert.rejects(t.engine.cancel('00000000-0000-7000-8000-000000000000' as JobId), { code: 'not_found' })
  })

  test('a finished job cannot be cancelled', async () => {
    await using t = await testEngine(testPlugins({ shop: { handlers: { order: () => done() } } }))
    const { jobId } = await t.engine.submit({ plugin: 'shop', action: 'order', payload: {}, source: 'http' })
    await outcome(t.engine, jobId)
    await assert.rejects(t.engine.cancel(jobId), { code: 'job_finished' })
  })
})

describe('events', () => {
  const subscription = (id: string, pattern: string, extra: { once?: boolean; priority?: number } = {}) => ({
    plugin: pluginName('mail'),
    id,
    pattern,
    priority: extra.priority ?? 50,
    once: extra.once ?? false,
    maxAttempts: 3,
  })

  test('each delivery is a job of its own, also when another process emits', async () => {
    const seen: string[] = []
    const plugins = testPlugins({
      mail: {
        handlers: {
          all: ({ job }) => (seen.push(`all ${job.name}`), done()),
          exact: ({ job }) => (seen.push(`exact ${job.name}`), done()),
        },
      },
    })
    await using t = await testEngine(plugins)
    await using other = await testEngine(testPlugins({}), { url: t.url, consume: false })
    assert.deepEqual((await other.engine.emit({ name: 'user.created', data: {}, source: 'test' })).jobs, [])
    await t.engine.subscriptions.replace(pluginName('mail'), '1.0.0', [
      subscription('all', 'user.*'),
      subscription('exact', 'user.created', { priority: 90 }),
    ])
    const emitted = await other.engine.emit({ name: 'user.created', data: { id: 7 }, source: 'test' })
    assert.equal(emitted.jobs.length, 2)
    for (const id of emitted.jobs) {
      const job = await outcome(t.engine, id)
      assert.deepEqual(
        [job.kind, job.state, job.payload, job.causationId, job.correlationId],
        ['event', 'succeeded', { id: 7 }, emitted.eventId, emitted.eventId],
      )
    }
    assert.deepEqual(seen.sort(), ['all user.created', 'exact user.created'])
  })

  test('once is delivered once, and (source, id) deduplicates', async () => {
    const plugins = testPlugins({ mail: { handlers: { first: () => done() } } })
    await using t = await testEngine(plugins)
    await t.engine.subscriptions.replace(pluginName('mail'), '1.0.0', [subscription('first', 'x', { once: true })])
    const a = await t.engine.emit({ name: 'x', data: 1, source: 's', externalId: 'e1' })
    const again = await t.engine.emit({ name: 'x', data: 1, source: 's', externalId: 'e1' })
    const b = await t.engine.emit({ name: 'x', data: 2, source: 's', externalId: 'e2' })
    assert.deepEqual([a.jobs.length, again.eventId, again.replayed, again.jobs, b.jobs.length], [1, a.eventId, true, a.jobs, 0])
  })
})
