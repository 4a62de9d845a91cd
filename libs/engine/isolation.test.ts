import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Job, JobId } from '../event-log/index.ts'
import type { Notifications } from '../postgres/notifications.ts'
import { createNotifications } from '../postgres/listen-notify.ts'
import { testLogger } from '../postgres/testing/index.ts'
import type { RunningEngine } from './engine.ts'
import { done, testPlugins, threw } from './testing/plugins.ts'
import { testEngine } from './testing/running.ts'
import { createWaiters } from './waiters.ts'

async function outcome(engine: RunningEngine, id: JobId): Promise<Job> {
  const job = await engine.wait(id, 60_000)
  assert.ok(job !== undefined && job.finishedAt !== null, `job ${id} has not finished: ${job?.state}`)
  return job
}

const submit = (engine: RunningEngine, plugin: string, action = 'run', extra: { idempotencyKey?: string; awaited?: boolean } = {}) =>
  engine.submit({ plugin, action, payload: {}, source: 'http', ...extra })

test('20,000 waiting jobs of one plugin and a rate-limited one do not delay another’s', async () => {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 20))
  await using t = await testEngine(
    testPlugins({
      crowd: { limits: { concurrency: 5 }, handlers: { run: async () => (await pause(), done()) } },
      limited: { limits: { rateLimit: { calls: 1, periodSeconds: 3600 } }, handlers: { run: () => done() } },
      quiet: { handlers: { run: () => done() } },
    }),
  )
  for (let n = 0; n < 20; n++) await Promise.all(Array.from({ length: 1000 }, () => submit(t.engine, 'crowd')))
  await Promise.all(Array.from({ length: 100 }, () => submit(t.engine, 'limited')))
  for (let n = 0; n < 5; n++) {
    const job = await outcome(t.engine, (await submit(t.engine, 'quiet')).jobId)
    const waited = (job.startedAt?.getTime() ?? Infinity) - job.requestedAt.getTime()
    assert.ok(waited < 2000, `waited ${waited} ms`)
  }
  const depths = new Map<string, number>((await t.queue.depths()).map((depth) => [depth.plugin, depth.waiting]))
  assert.ok((depths.get('crowd') ?? 0) > 5_000 && depths.get('limited') === 99, 'both still have jobs that wait')
})

test('two engines on one database share a rate limit', async () => {
  const limit = { calls: 10, periodSeconds: 1 }
  const total = 35
  const starts: number[] = []
  const plugins = testPlugins({
    shop: { limits: { rateLimit: limit, concurrency: 50 }, handlers: { run: () => (starts.push(Date.now()), done()) } },
  })
  await using a = await testEngine(plugins, { consume: false })
  await using b = await testEngine(plugins, { consume: false, url: a.url })
  const jobs = await Promise.all(Array.from({ length: total }, () => submit(a.engine, 'shop')))
  const begun = Date.now()
  await Promise.all([a.consumers.start(), b.consumers.start()])
  for (const { jobId } of jobs) await outcome(a.engine, jobId)
  assert.equal(starts.length, total)
  // No start comes before its token, and the n-th token is there no sooner than the rate beyond the burst allows.
  const interval = (limit.periodSeconds * 1000) / limit.calls
  for (const [index, at] of starts.entries()) {
    const earliest = begun + (index + 1 - limit.calls) * interval
    assert.ok(at >= earliest - 2, `start ${index + 1} came ${earliest - at} ms too early`)
  }
})

test('one bad item does not take its batch with it', async () => {
  await using t = await testEngine(
    testPlugins({
      shop: {
        settings: { retry: { maxAttempts: 2, backoffSeconds: 0, maxBackoffSeconds: 0 } },
        handlers: { run: () => done(), odd: () => done({ text: '\ud800' }), oddThrow: () => threw('half a pair: \ud800 and \u0000') },
      },
    }),
  )
  const answers = await Promise.allSettled(
    ['a', 'b\u0000', 'c'].map((idempotencyKey) => submit(t.engine, 'shop', 'run', { idempotencyKey })),
  )
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  const accepted = await Promise.all(['run', 'odd', 'oddThrow', 'run'].map((action) => submit(t.engine, 'shop', action)))
  const jobs = await Promise.all(accepted.map(({ jobId }) => outcome(t.engine, jobId)))
  assert.deepEqual(
    jobs.map(({ state, attempt, error }) => [state, attempt, error?.code ?? null]),
    [
      ['succeeded', 1, null],
      ['failed', 1, 'invalid_result'],
      ['dead', 2, 'handler_error'],
      ['succeeded', 1, null],
    ],
  )
  assert.equal(jobs[2]?.error?.message, 'half a pair: \ufffd and \ufffd')
})

/** Hears nothing and tells nobody. */
const cut: Notifications = {
  start: async () => {},
  stop: async () => {},
  notify: async () => {},
  listen: () => () => {},
  onReconnect: () => () => {},
}

for (const how of ['NOTIFY', 'polling'] as const) {
  test(`an awaited outcome reaches a waiter in another process by ${how}`, async () => {
    const release = Promise.withResolvers<void>()
    await using t = await testEngine(testPlugins({ shop: { handlers: { run: async () => (await release.promise, done({ n: 1 })) } } }))
    const notifications = how === 'NOTIFY' ? createNotifications({ url: t.url, logger: testLogger }) : cut
    await using stack = new AsyncDisposableStack()
    stack.defer(() => notifications.stop())
    await notifications.start()
    const waiters = createWaiters({ database: t.database, notifications, logger: testLogger, pollMs: how === 'NOTIFY' ? 3_600_000 : 20 })
    stack.defer(() => waiters.stop())
    const { jobId } = await submit(t.engine, 'shop', 'run', { awaited: true })
    const waited = waiters.wait(jobId, 30_000)
    release.resolve()
    assert.deepEqual((await waited)?.result, { status: 'ok', n: 1 })
  })
}

test('a waiter is let go when its time is up, when it gives up, and when the process stops', async () => {
  await using t = await testEngine(testPlugins({ shop: { handlers: { run: () => done() } } }), { consume: false })
  const { jobId } = await submit(t.engine, 'shop')
  const waiters = createWaiters({ database: t.database, notifications: cut, logger: testLogger })
  assert.equal(await waiters.wait(jobId, 1), undefined)
  assert.equal(await waiters.wait(jobId, 60_000, AbortSignal.abort()), undefined)
  const gone = new AbortController()
  const [aborted, stopped] = [waiters.wait(jobId, 60_000, gone.signal), waiters.wait(jobId, 60_000)]
  gone.abort()
  assert.equal(await aborted, undefined)
  await waiters.stop()
  assert.equal(await stopped, undefined)
})
