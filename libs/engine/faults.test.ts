import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { XCoreError } from '../errors/index.ts'
import { TERMINAL_STATES } from '../event-log/index.ts'
import type { Job, JobId } from '../event-log/index.ts'
import { startEmbedded } from '../postgres/embedded.ts'
import { migrate } from '../postgres/migrator.ts'
import { testLogger } from '../postgres/testing/index.ts'
import { startProcess } from '../postgres/testing/processes/process.ts'
import type { RunningEngine } from './engine.ts'
import { done, testPlugins } from './testing/plugins.ts'
import type { TestHandler } from './testing/plugins.ts'
import { testEngine } from './testing/running.ts'

/** The promise for jobs of a killed worker. With the shortest heartbeat of the queue (10 s) it takes 11 to 13 s. */
const ELSEWHERE_WITHIN_MS = 60_000
/** A heartbeat that does not come while a test runs. */
const NEVER = 100_000
const TERMINAL_EVENTS = new Set<string>(TERMINAL_STATES.map((state) => `job.${state}`))

const startWorker = (url: string) => startProcess('../../../engine/testing/worker-process', [url])

async function outcome(engine: RunningEngine, id: JobId): Promise<Job> {
  const job = await engine.wait(id, ELSEWHERE_WITHIN_MS)
  assert.ok(job !== undefined && job.finishedAt !== null, `job ${id} has not finished: ${job?.state}`)
  return job
}

async function types(engine: RunningEngine, id: JobId): Promise<string[]> {
  return ((await engine.history(id)) ?? []).map(({ event }) => event.type)
}

const submit = (engine: RunningEngine, action: string, extra: { priority?: number } = {}) =>
  engine.submit({ plugin: 'shop', action, payload: {}, source: 'http', ...extra })

function shop(handlers: Record<string, TestHandler>, { maxAttempts = 3, concurrency = 20 } = {}) {
  const retry = { maxAttempts, backoffSeconds: 0.01, maxBackoffSeconds: 0.01 }
  return testPlugins({ shop: { limits: { concurrency }, settings: { timeoutSeconds: 600, retry }, handlers } })
}

describe('faults', { concurrency: true }, () => {
  test('a worker killed with 20 jobs in hand: all run elsewhere, each with one outcome', async () => {
    await using t = await testEngine(shop({ hang: () => done({ elsewhere: true }) }), { consume: false })
    const jobs = await Promise.all(Array.from({ length: 20 }, () => submit(t.engine, 'hang')))
    await using worker = startWorker(t.url)
    assert.deepEqual(await worker.next(), { ready: true })
    for (let n = 0; n < 20; n++) assert.equal(typeof (await worker.next())['started'], 'string')
    await worker.kill('SIGKILL')
    await t.consumers.start()
    for (const { jobId } of jobs) {
      const job = await outcome(t.engine, jobId)
      assert.deepEqual([job.state, job.attempt, job.result], ['succeeded', 2, { status: 'ok', elsewhere: true }])
      assert.deepEqual(await types(t.engine, jobId), ['job.requested', 'job.attempt_lost', 'job.succeeded'])
    }
    assert.match(await t.metrics.text(), /xcore_jobs_stalled_total\{plugin="shop"\} 20/)
  })

  test('a job that kills its worker each time is dead after its last attempt; the others are run', async () => {
    await using t = await testEngine(shop({ poison: () => done(), quick: () => done() }, { maxAttempts: 2 }), { consume: false })
    const { jobId } = await submit(t.engine, 'poison', { priority: 100 })
    const others = await Promise.all([submit(t.engine, 'quick'), submit(t.engine, 'quick')])
    for (let attempt = 1; attempt <= 2; attempt++) {
      await using worker = startWorker(t.url)
      assert.deepEqual(await worker.next(), { ready: true })
      // a second worker may first be handed the jobs that the first one had in hand
      for (let news = await worker.next(); news['started'] !== jobId; news = await worker.next());
      await worker.kill('SIGKILL')
    }
    await t.consumers.start()
    const job = await outcome(t.engine, jobId)
    assert.deepEqual([job.state, job.attempt, job.error?.code], ['dead', 2, 'worker_lost'])
    assert.deepEqual(await types(t.engine, jobId), ['job.requested', 'job.attempt_lost', 'job.attempt_lost', 'job.dead'])
    for (const other of others) {
      await outcome(t.engine, other.jobId)
      assert.equal((await types(t.engine, other.jobId)).filter((type) => TERMINAL_EVENTS.has(type)).length, 1)
    }
  })

  test('the late outcome of an attempt that was given up as lost is fenced off', async () => {
    const begun = Promise.withResolvers<void>()
    const late = Promise.withResolvers<void>()
    // alive, but never heard of, and too busy to claim the job again
    await using silent = await testEngine(
      shop({ order: async () => (begun.resolve(), await late.promise, done({ by: 'silent' })), quick: () => done() }, { concurrency: 1 }),
      { heartbeatSeconds: NEVER },
    )
    const { jobId } = await submit(silent.engine, 'order')
    await begun.promise
    await using other = await testEngine(shop({ order: () => done({ by: 'other' }), quick: () => done() }), { url: silent.url })
    assert.deepEqual((await outcome(other.engine, jobId)).result, { status: 'ok', by: 'other' })
    late.resolve()
    await silent.consumers.stop(60_000)
    assert.deepEqual((await other.engine.get(jobId))?.result, { status: 'ok', by: 'other' })
    assert.deepEqual(await types(other.engine, jobId), ['job.requested', 'job.attempt_lost', 'job.succeeded'])
  })

  test('a process that was taken for lost and claims its own job again goes on with it', async () => {
    let runs = 0
    const begun = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    await using t = await testEngine(shop({ order: async () => (runs++, begun.resolve(), await release.promise, done()) }), {
      heartbeatSeconds: NEVER,
    })
    const { jobId } = await submit(t.engine, 'order')
    await begun.promise
    const [job] = (await t.engine.list({ plugin: 'shop' })).jobs
    assert.ok(job !== undefined)
    const heldSince = async () => (await t.queue.held([{ jobId, plugin: job.plugin }])).get(jobId)?.getTime()
    const first = await heldSince()
    const again = Promise.withResolvers<void>()
    const off = t.queue.onReady(job.plugin, () => {
      const look = async (): Promise<void> => ((await heldSince()) === undefined ? look() : again.resolve())
      look().catch(again.reject)
    })
    await again.promise.finally(off)
    assert.notEqual(await heldSince(), first)
    release.resolve()
    assert.deepEqual([(await outcome(t.engine, jobId)).attempt, runs], [1, 1])
    assert.deepEqual(await types(t.engine, jobId), ['job.requested', 'job.succeeded'])
  })

  test('a shutdown hands running jobs back without spending an attempt', async () => {
    const reasons: unknown[] = []
    const begun = Promise.withResolvers<void>()
    let running = 0
    const hang: TestHandler = ({ signal }) =>
      new Promise((resolve) => {
        if (++running === 5) begun.resolve()
        signal.addEventListener('abort', () => (reasons.push(signal.reason), resolve(done({ ignored: true }))))
      })
    await using leaving = await testEngine(shop({ hang }))
    const jobs = await Promise.all(Array.from({ length: 5 }, () => submit(leaving.engine, 'hang')))
    await begun.promise
    await leaving.consumers.stop(10)
    assert.equal(reasons.length, 5)
    await using staying = await testEngine(shop({ hang: () => done({ by: 'staying' }) }), { url: leaving.url })
    for (const { jobId } of jobs) {
      const job = await outcome(staying.engine, jobId)
      assert.deepEqual([job.state, job.attempt, job.result], ['succeeded', 1, { status: 'ok', by: 'staying' }])
      assert.deepEqual(await types(staying.engine, jobId), ['job.requested', 'job.succeeded'])
    }
  })

  test('claimed jobs that cannot be read for a moment spend no attempt', async () => {
    await using t = await testEngine(shop({ quick: () => done() }), { consume: false })
    const { jobId } = await submit(t.engine, 'quick')
    await t.database.transaction(async (tx) => {
      await tx.run('lock table xcore.jobs in access exclusive mode')
      await t.consumers.start()
      // The reader, which waits for the lock: its connection breaks.
      const broken = () =>
        tx.run<{ ended: boolean }>(`
          select pg_terminate_backend(l.pid) as ended from pg_locks l
          where not l.granted and l.relation = 'xcore.jobs'::regclass and l.database = (select oid from pg_database where datname = current_database())`)
      while ((await broken()).length === 0);
    })
    assert.equal((await outcome(t.engine, jobId)).attempt, 1)
    assert.deepEqual(await types(t.engine, jobId), ['job.requested', 'job.succeeded'])
  })

  test('a hand-back that Postgres ends as one half of a deadlock is done again', async () => {
    const begun = Promise.withResolvers<void>()
    let running = 0
    const hang: TestHandler = ({ signal }) =>
      new Promise((resolve) => {
        if (++running === 2) begun.resolve()
        signal.addEventListener('abort', () => resolve(done()))
      })
    await using leaving = await testEngine(shop({ hang }), { heartbeatSeconds: NEVER })
    const jobs = [await submit(leaving.engine, 'hang'), await submit(leaving.engine, 'hang')]
    await begun.promise
    let stopped: Promise<void> | undefined
    await leaving.database.transaction(async (tx) => {
      const lock = (id: JobId | undefined) => tx.run('select 1 from pgboss.job where id = $1 for update', [id])
      await lock(jobs[1]?.jobId)
      stopped = leaving.consumers.stop(10)
      // On another connection: a transaction looks at this table once.
      const waits = () =>
        leaving.database.run(`select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`)
      while ((await waits()).length === 0);
      await lock(jobs[0]?.jobId)
    })
    await stopped
    await using staying = await testEngine(shop({ hang: () => done() }), { url: leaving.url })
    for (const { jobId } of jobs) assert.equal((await outcome(staying.engine, jobId)).attempt, 1)
  })

  test('Postgres killed under load: nothing accepted is lost, nothing ends twice, and callers are told meanwhile', async () => {
    await using stack = new AsyncDisposableStack()
    const dataDir = await mkdtemp(join(tmpdir(), 'xcore-faults-'))
    stack.defer(() => rm(dataDir, { recursive: true, force: true }))
    // its own logger would report the crash as the error that it is
    const server = await startEmbedded({ dataDir, logger: testLogger.child({}, { level: 'silent' }) })
    stack.defer(() => server.stop())
    await migrate(server.url, { logger: testLogger })
    const t = stack.use(await testEngine(shop({ quick: () => done() }), { url: server.url }))

    const accepted: JobId[] = []
    const refused: unknown[] = []
    const enough = new AbortController()
    const reached = (count: number) => new Promise<void>((resolve) => void marks.push({ count: accepted.length + count, resolve }))
    const marks: { count: number; resolve: () => void }[] = []
    const caller = async () => {
      while (!enough.signal.aborted) {
        try {
          accepted.push((await submit(t.engine, 'quick')).jobId)
          for (const mark of marks) if (accepted.length >= mark.count) mark.resolve()
        } catch (error) {
          refused.push(error)
        }
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const callers = Promise.all(Array.from({ length: 16 }, caller))
    try {
      for (const signal of ['SIGINT', 'SIGKILL'] as const) {
        await reached(200)
        const before = refused.length
        process.kill(server.pid(), signal)
        while (refused.length === before) await reached(1)
        await reached(200)
      }
    } finally {
      enough.abort()
      await callers
    }
    for (const error of refused) assert.ok(error instanceof XCoreError && error.code === 'database_unavailable', String(error))
    for (const id of accepted) assert.equal((await outcome(t.engine, id)).state, 'succeeded')
    const [count] = await t.database.run<{ jobs: number; open: number; twice: number }>(`
      select count(*)::int as jobs, count(*) filter (where ends = 0)::int as open, count(*) filter (where ends > 1)::int as twice
      from (select stream, count(*) filter (where type in ('job.succeeded', 'job.failed', 'job.dead', 'job.cancelled')) as ends
            from xcore.event_log group by stream) as jobs`)
    assert.ok(count !== undefined && count.jobs >= accepted.length)
    assert.deepEqual(count.twice, 0)
    assert.equal(new Set(accepted).size, accepted.length)
  })
})
