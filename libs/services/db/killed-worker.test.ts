import assert from 'node:assert/strict'
import { test } from 'node:test'
import { done, testPlugins } from '../../engine/testing/plugins.ts'
import { AttemptTransaction } from '../../plugin-host/runners/trusted/job-transaction.ts'
import { startProcess } from '../../postgres/testing/processes/process.ts'
import { owner, testDb } from './testing/db-platform.ts'
import type { TestDb } from './testing/db-platform.ts'
import { ORDERS, placeOrder } from './testing/place-order.ts'

const PROGRAM = '../../../services/db/testing/processes/worker'
const shop = owner('shop')

function pluginsOf(t: () => TestDb) {
  return testPlugins({
    shop: {
      handlers: {
        async order(invocation) {
          const transaction = new AttemptTransaction(() => t().db.begin(shop), invocation.signal)
          await transaction.run((tx) => placeOrder(tx, `attempt ${invocation.job.attempt}`))
          return transaction.conclude(done())
        },
      },
    },
    stock: { handlers: { take: () => done() } },
  })
}

/** Kills a worker with SIGKILL at a step, lets another one take over, and returns what there is then. */
async function afterKillAt(step: string) {
  const both = { current: undefined as TestDb | undefined }
  const plugins = pluginsOf(() => {
    assert.ok(both.current !== undefined)
    return both.current
  })
  await using t = await testDb(plugins, { consume: false, heartbeatSeconds: 1 })
  both.current = t
  for (const sql of ORDERS) await t.db.of(shop).query(sql)
  const { jobId } = await t.engine.submit({ plugin: 'shop', action: 'order', payload: {}, source: 'plugin' })
  {
    await using worker = startProcess(PROGRAM, [t.url, step])
    assert.deepEqual(await worker.next(), { reached: step })
    await worker.kill('SIGKILL')
  }
  await t.consumers.start()
  const job = await t.engine.wait(jobId, 60_000)
  await t.consumers.stop(10_000)
  const history = (await t.engine.history(jobId)) ?? []
  const [counts] = await t.database.run<{ outcomes: string; events: string; jobs: string; queued: string }>(
    `select (select count(*) from xcore.event_log where stream = $1 and type = 'job.succeeded')::text as outcomes,
      (select count(*) from xcore.event_log where type = 'event.emitted')::text as events,
      (select count(*) from xcore.jobs where plugin = 'stock')::text as jobs,
      (select count(*) from pgboss.job where id = $1)::text as queued`,
    [jobId],
  )
  return {
    state: job?.state,
    history: history.map(({ event }) => event.type),
    rows: (await t.db.of(shop).query<{ n: string }>('select n from orders')).map(({ n }) => n),
    ...counts,
  }
}

const BEGUN_ANEW = { history: ['job.requested', 'job.attempt_lost', 'job.succeeded'], rows: ['attempt 2'] }
const DONE_ALREADY = { history: ['job.requested', 'job.succeeded'], rows: ['attempt 1'] }
const EXPECTED = {
  'before fn': BEGUN_ANEW,
  'inside fn': BEGUN_ANEW,
  'before commit': BEGUN_ANEW,
  // Postgres has been told to commit, and does.
  'in commit': DONE_ALREADY,
  'after commit': DONE_ALREADY,
}

test(
  'a worker killed at any step of job.transaction leaves all of it or nothing, and the job ends once',
  { timeout: 110_000, concurrency: true },
  async (t) => {
    await Promise.all(
      Object.entries(EXPECTED).map(([step, expected]) =>
        t.test(step, async () => {
          assert.deepEqual(await afterKillAt(step), { state: 'succeeded', ...expected, outcomes: '1', events: '1', jobs: '1', queued: '0' })
        }),
      ),
    )
  },
)
