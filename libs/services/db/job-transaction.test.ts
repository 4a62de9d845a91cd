import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AttemptTransaction } from '../../plugin-host/runners/trusted/job-transaction.ts'
import { XCoreError } from '../../errors/index.ts'
import { pluginName } from '../../event-log/index.ts'
import type { Job, Json, JsonObject } from '../../event-log/index.ts'
import { stageOf } from '../../engine/index.ts'
import type { HandlerResult, Invocation, SubmitRequest, TransactionHandle } from '../../engine/index.ts'
import { done, failed, testPlugins, threw } from '../../engine/testing/plugins.ts'
import type { TestHandler } from '../../engine/testing/plugins.ts'
import { owner, testDb } from './testing/db-platform.ts'
import type { TestDb } from './testing/db-platform.ts'
import { ORDERS, placeOrder } from './testing/place-order.ts'

const shop = owner('shop')
const other = { stock: { handlers: { take: () => done() } } }

/** A handler that works inside the job's transaction, as the trusted runner runs it. */
function transactional(
  db: () => TestDb,
  work: (tx: TransactionHandle, payload: Json, invocation: Invocation) => Promise<void>,
  result: (payload: Json, invocation: Invocation) => HandlerResult | Promise<HandlerResult> = () => done(),
): TestHandler {
  return async (invocation) => {
    const transaction = new AttemptTransaction(() => db().db.begin(shop), invocation.signal)
    try {
      await transaction.run((tx) => work(tx, invocation.job.payload, invocation))
      return await transaction.conclude(await result(invocation.job.payload, invocation))
    } catch (error) {
      await transaction.abandon()
      return { kind: 'threw', error: { code: error instanceof XCoreError ? error.code : 'handler_error', message: String(error) } }
    }
  }
}

function request(plugin: string, action: string, payload: JsonObject = {}): SubmitRequest {
  return { plugin, action, payload, source: 'plugin' }
}

async function run(t: TestDb, action: string, payload: JsonObject = {}): Promise<Job> {
  const { jobId } = await t.engine.submit(request('shop', action, payload))
  const job = await t.engine.wait(jobId, 20_000)
  assert.ok(job !== undefined)
  return job
}

/** What is left of the attempts: rows, jobs for the other plugin, events in the log. */
async function traces(t: TestDb) {
  const rows = await t.db.of(shop).query<{ n: string }>('select n from orders order by n')
  const jobs = await t.database.run<{ n: string }>(
    `select payload ->> 'n' as n from xcore.jobs where plugin = 'stock' and kind = 'action' order by 1`,
  )
  const events = await t.database.run<{ n: string }>(
    `select data -> 'data' ->> 'n' as n from xcore.event_log where type = 'event.emitted' order by 1`,
  )
  return { rows: rows.map(({ n }) => n), jobs: jobs.map(({ n }) => n), events: events.map(({ n }) => n) }
}

async function prepared(handlers: (db: () => TestDb) => Readonly<Record<string, TestHandler>>, timeoutSeconds = 10): Promise<TestDb> {
  const opened: TestDb[] = []
  const db = () => {
    const [first] = opened
    assert.ok(first !== undefined)
    return first
  }
  const settings = { timeoutSeconds }
  const t = await testDb(testPlugins({ shop: { handlers: handlers(db), settings }, ...other }))
  opened.push(t)
  await t.db.of(shop).query('create table orders (n text primary key deferrable initially deferred, slow boolean)')
  await t.engine.subscriptions.replace(pluginName('stock'), '1.0.0', [
    { plugin: pluginName('stock'), id: 'take', pattern: 'order.*', priority: 50, once: false, maxAttempts: 1 },
  ])
  return t
}

test('what a handler writes, emits and enqueues commits with its outcome', async () => {
  await using t = await prepared((db) => ({ order: transactional(db, (tx, payload) => placeOrder(tx, textOf(payload))) }))
  const job = await run(t, 'order', { n: 'a' })
  assert.equal(job.state, 'succeeded')
  assert.deepEqual(await traces(t), { rows: ['a'], jobs: ['a'], events: ['a'] })
  const delivered = await t.engine.list({ plugin: 'stock', kind: 'event' })
  assert.equal(delivered.jobs.length, 1)
  const same = await t.database.run<{ xids: string }>(
    `select count(distinct xid)::text as xids from xcore.event_log where type = 'event.emitted' or type = 'job.succeeded' and stream = $1 or type = 'job.requested' and plugin = 'stock'`,
    [job.id],
  )
  assert.deepEqual(same, [{ xids: '1' }])
  await t.engine.wait(delivered.jobs[0]?.id ?? job.id, 20_000)
  assert.deepEqual(await t.database.run('select * from xcore.plugin_transactions'), [])
})

test('a final error commits, a retryable one, a throw and a bad result leave nothing', async () => {
  await using t = await prepared((db) => {
    const write = (tx: TransactionHandle, payload: Json) => placeOrder(tx, textOf(payload))
    return {
      final: transactional(db, write, () => failed('sold_out')),
      again: transactional(db, write, () => failed('busy', { retryable: true })),
      throws: transactional(db, write, () => threw('oh')),
      unstorable: transactional(db, write, () => done({ text: '\u0000' })),
    }
  })
  assert.equal((await run(t, 'final', { n: 'final' })).state, 'failed')
  assert.equal((await run(t, 'again', { n: 'again' })).state, 'dead')
  assert.equal((await run(t, 'throws', { n: 'throws' })).state, 'dead')
  assert.equal((await run(t, 'unstorable', { n: 'unstorable' })).error?.code, 'invalid_result')
  assert.deepEqual(await traces(t), { rows: ['final'], jobs: ['final'], events: ['final'] })
})

test('a commit that Postgres refuses makes the attempt fail, and the next one starts anew', async () => {
  await using t = await prepared((db) => ({
    order: transactional(db, async (tx, _payload, { job }) => {
      await placeOrder(tx, `attempt ${job.attempt}`)
      // Found only at the commit, after the outcome was written in the same transaction.
      if (job.attempt === 1) await tx.query(`insert into orders (n) values ('attempt 1')`)
    }),
  }))
  const job = await run(t, 'order')
  assert.equal(job.state, 'succeeded')
  assert.equal(job.attempt, 2)
  const history = (await t.engine.history(job.id)) ?? []
  assert.deepEqual(
    history.map(({ event }) => [event.type, 'error' in event ? event.error.code : null]),
    [
      ['job.requested', null],
      ['job.attempt_failed', 'database_error'],
      ['job.succeeded', null],
    ],
  )
  assert.deepEqual(await traces(t), { rows: ['attempt 2'], jobs: ['attempt 2'], events: ['attempt 2'] })
})

test('a cancelled attempt leaves nothing, whether it still runs or was about to commit', async () => {
  const started = Promise.withResolvers<Job>()
  const goOn = Promise.withResolvers<void>()
  await using t = await prepared((db) => ({
    order: transactional(
      db,
      (tx, payload) => placeOrder(tx, textOf(payload)),
      async (_payload, { job }) => {
        started.resolve(job)
        await goOn.promise
        return done()
      },
    ),
    // Settled as cancelled behind the engine's back, so that only the fence in the transaction can tell.
    late: transactional(
      db,
      (tx, payload) => placeOrder(tx, textOf(payload)),
      async (_payload, { job }) => {
        await db().database.run(`update xcore.jobs set state = 'cancelled', finished_at = now() where id = $1`, [job.id])
        return done()
      },
    ),
  }))
  const { jobId } = await t.engine.submit(request('shop', 'order', { n: 'running' }))
  await started.promise
  await t.engine.cancel(jobId)
  goOn.resolve()
  assert.equal((await run(t, 'late', { n: 'late' })).state, 'cancelled')
  await t.consumers.stop(5_000)
  assert.deepEqual(await traces(t), { rows: [], jobs: [], events: [] })
})

test('an attempt that times out in its transaction leaves nothing and frees its connection', async () => {
  await using t = await prepared(
    (db) => ({
      order: transactional(db, async (tx, payload) => {
        await placeOrder(tx, textOf(payload))
        await tx.query('set local statement_timeout = 0')
        await tx.query('select pg_sleep(60)')
      }),
    }),
    0.3,
  )
  const job = await run(t, 'order', { n: 'slow' })
  assert.equal(job.error?.code, 'timeout')
  assert.deepEqual(await traces(t), { rows: [], jobs: [], events: [] })
  // Ended in the server, too: nobody sleeps on.
  await until(async () => (await t.database.run(`select from pg_stat_activity where query like 'select pg_sleep%'`)).length === 0)
})

test('several calls share the transaction; what a failed one wrote is taken back alone', async () => {
  await using t = await prepared((db) => ({
    order: async (invocation) => {
      const transaction = new AttemptTransaction(() => db().db.begin(shop), invocation.signal)
      await transaction.run((tx) => placeOrder(tx, 'first'))
      await assert.rejects(
        transaction.run(async (tx) => {
          await placeOrder(tx, 'second')
          throw new Error('no')
        }),
        /no/,
      )
      await assert.rejects(
        transaction.run(async (tx) => {
          await placeOrder(tx, 'third')
          await tx.query('select 1/0')
        }),
        { code: 'database_error' },
      )
      await transaction.run(async () => {
        await assert.rejects(
          transaction.run(async () => {}),
          { code: 'bad_request', message: /open already/ },
        )
      })
      return transaction.conclude(done())
    },
  }))
  assert.equal((await run(t, 'order')).state, 'succeeded')
  assert.deepEqual(await traces(t), { rows: ['first'], jobs: ['first'], events: ['first'] })
})

test('a connection that breaks in the commit makes the attempt fail, once it is known what became of it', async () => {
  await using t = await prepared((db) => ({
    order: transactional(db, (tx, _payload, { job }) => placeOrder(tx, `attempt ${job.attempt}`, job.attempt === 1)),
  }))
  await t.db.of(shop).query('drop table orders')
  for (const sql of ORDERS) await t.db.of(shop).query(sql)
  const { jobId } = await t.engine.submit(request('shop', 'order'))
  const busy = `select pg_terminate_backend(pid) from pg_stat_activity where query = 'commit' and wait_event = 'PgSleep'`
  await until(async () => (await t.database.run(busy)).length > 0)
  const job = await t.engine.wait(jobId, 20_000)
  assert.equal(job?.state, 'succeeded')
  assert.equal(job.attempt, 2)
  assert.deepEqual(await traces(t), { rows: ['attempt 2'], jobs: ['attempt 2'], events: ['attempt 2'] })
})

test('an idempotency key holds over transactions', async () => {
  await using t = await prepared((db) => ({
    order: transactional(db, async (tx) => {
      const stage = stageOf(tx)
      const first = await stage?.submit({ ...request('stock', 'take', { n: 'k' }), idempotencyKey: 'once' })
      assert.equal(await stage?.submit({ ...request('stock', 'take', { n: 'k' }), idempotencyKey: 'once' }), first)
    }),
  }))
  assert.equal((await run(t, 'order')).state, 'succeeded')
  assert.equal((await run(t, 'order')).state, 'succeeded')
  assert.deepEqual((await traces(t)).jobs, ['k'])
})

function textOf(payload: Json): string {
  return typeof payload === 'object' && payload !== null && 'n' in payload ? String(payload.n) : 'none'
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve))
}
