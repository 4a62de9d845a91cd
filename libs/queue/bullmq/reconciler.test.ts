import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { jobId, pluginName, randomIds } from '../../event-log/ids.ts'
import { createDatabase } from '../../postgres/database.ts'
import type { Database } from '../../postgres/sql.ts'
import { testDatabase, testLogger } from '../../postgres/testing/index.ts'
import { createBullmqQueue } from './queue.ts'
import type { BullmqQueue } from './queue.ts'
import { runReconciler } from './reconciler.ts'
import type { ReconcilerOptions } from './reconciler.ts'
import { MARK, SHED } from './reads.ts'
import { REDIS_DEFAULTS } from '../../redis/settings.ts'
import { fillJobs, inOrder } from './testing/live-jobs.ts'
import { NEEDS_REDIS, startRedisServer } from './testing/redis-server.ts'

const PLUGIN = pluginName('restored')

interface Place extends AsyncDisposable {
  readonly database: Database
  readonly queue: BullmqQueue
  /** Starts a reconciler that ends with the test. */
  reconcile(options: Partial<ReconcilerOptions>): void
  waiting(): Promise<string[]>
  /** Resolves when the reconciler has marked what Redis holds as whole, and it is. */
  whole(): Promise<void>
}

async function place(jobs: number): Promise<Place> {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await startRedisServer())
  const { url } = stack.use(await testDatabase())
  const database = createDatabase({ url, applicationName: 'reconciler', max: 4 })
  stack.defer(() => database.close())
  const queue = createBullmqQueue({ redis: { ...REDIS_DEFAULTS, url: server.url }, database, logger: testLogger })
  stack.defer(() => queue.stop())
  await queue.start()
  await queue.declare([PLUGIN])
  await fillJobs(database, PLUGIN, jobs, Date.now())
  const key = (type: string) => queue.queueOf(PLUGIN).key(type)
  const own = stack.move()
  const count = async () => (await queue.client.zcard(key('prioritized'))) + (await queue.client.zcard(key('delayed')))
  return {
    database,
    queue,
    reconcile(options) {
      const stop = new AbortController()
      const running = runReconciler({ database, queue, logger: testLogger, roundMs: 20, holdersMs: 10, ...options }, stop.signal)
      own.defer(async () => {
        stop.abort()
        await running
      })
    },
    waiting: () => queue.client.zrange(key('prioritized'), '0', '-1'),
    async whole() {
      // Redis has no signal for it.
      while ((await queue.client.hget(key('meta'), MARK)) === null || (await count()) < (jobs * 9) / 10)
        await new Promise((resolve) => setTimeout(resolve, 10))
    },
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  }
}

describe('the reconciler', NEEDS_REDIS, () => {
  test('fills an empty Redis with the live jobs by priority, then by age, and again after FLUSHALL', async () => {
    await using at = await place(5_000)
    let told = 0
    at.reconcile({ onRestored: (_plugin, jobs) => (told += jobs) })
    const order = await inOrder(at.database, PLUGIN)
    assert.equal(order.length, 4_450)
    for (let time = 1; time <= 2; time++) {
      await at.whole()
      assert.deepEqual(await at.waiting(), order)
      assert.equal(told, 4_500 * time)
      const [depth] = await at.queue.depths()
      assert.deepEqual([depth?.waiting, depth?.delayed], [4_450, 50])
      const [oldest] = await at.database.run<{ at: Date }>('select min(run_at) as at from xcore.jobs where finished_at is null')
      assert.equal(depth?.oldestWaitingSince?.getTime(), oldest?.at.getTime())
      await at.queue.client.flushall()
    }
  })

  test('jobs that come while it fills run after those of their priority that were there', async () => {
    await using at = await place(5_000)
    const fresh = Array.from({ length: 40 }, (_, n) => ({ jobId: jobId(randomIds.uuid()), plugin: PLUGIN, priority: n % 4, runAt: null }))
    await at.queue.committed(fresh.slice(0, 20))
    let more: Promise<void> | undefined
    at.reconcile({ onRestored: () => void (more ??= at.queue.committed(fresh.slice(20))) })
    await at.whole()
    await more
    const expected = [...(await inOrder(at.database, PLUGIN))]
    const found = await at.waiting()
    assert.deepEqual(
      found.filter((id) => !fresh.some((each) => each.jobId === id)),
      expected,
    )
    for (const { jobId: id, priority } of fresh) {
      const [next] = await at.database.run<{ id: string }>(
        'select id::text from xcore.jobs where plugin = $1 and finished_at is null and run_at <= now() and priority < $2 order by priority desc, id limit 1',
        [PLUGIN, priority],
      )
      const [last] = await at.database.run<{ id: string }>(
        'select id::text from xcore.jobs where plugin = $1 and finished_at is null and run_at <= now() and priority = $2 order by id desc limit 1',
        [PLUGIN, priority],
      )
      assert.ok(last !== undefined && found.indexOf(id) > found.indexOf(last.id))
      assert.ok(next === undefined || found.indexOf(id) < found.indexOf(next.id))
    }
  })

  test('data lost again while it fills, and in the middle of comparisons: all are back in order', async () => {
    await using at = await place(5_000)
    const order = await inOrder(at.database, PLUGIN)
    let losses = 0
    const lost: Promise<unknown>[] = []
    at.reconcile({
      // It compares all the time.
      auditMs: 0,
      roundMs: 1,
      onRestored() {
        if (losses++ < 3) lost.push(at.queue.client.flushall())
      },
    })
    await at.whole()
    await Promise.all(lost)
    for (let time = 0; time < 5; time++) {
      await at.whole()
      assert.deepEqual(await at.waiting(), order)
      await new Promise((resolve) => setTimeout(resolve, 7 * time))
      await at.queue.client.flushall()
    }
    await at.whole()
    assert.deepEqual(await at.waiting(), order)
  })

  test('jobs that made room for others are put back in their places as soon as there is some', async () => {
    await using at = await place(500)
    const order = await inOrder(at.database, PLUGIN)
    at.reconcile({})
    await at.whole()
    const queue = at.queue.queueOf(PLUGIN)
    assert.equal(await queue.shed(50), 50)
    await at.queue.client.hset(queue.key('meta'), SHED, 50)
    await at.whole()
    assert.deepEqual(await at.waiting(), order)
  })
})
