import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { pluginName } from '../../event-log/ids.ts'
import type { JobId } from '../../event-log/ids.ts'
import { createDatabase } from '../../postgres/database.ts'
import { testDatabase, testLogger } from '../../postgres/testing/index.ts'
import { REDIS_DEFAULTS } from '../../redis/settings.ts'
import { completed } from './live-reads.ts'
import { createBullmqQueue } from './queue.ts'
import { MARK } from './reads.ts'
import { runReconciler } from './reconciler.ts'
import { fillJobs } from './testing/live-jobs.ts'
import { NEEDS_REDIS, startRedisServer } from './testing/redis-server.ts'

const PLUGIN = pluginName('deep')

describe('a deep queue', NEEDS_REDIS, () => {
  test('lists what waits and nothing that runs, counts both, and goes on counting while Redis is away', async () => {
    await using server = await startRedisServer()
    await using stored = await testDatabase()
    const database = createDatabase({ url: stored.url, applicationName: 'deep', max: 4 })
    const queue = createBullmqQueue({ redis: { ...REDIS_DEFAULTS, url: server.url }, database, logger: testLogger })
    const stop = new AbortController()
    let running: Promise<void> | undefined
    try {
      await queue.start()
      await queue.declare([PLUGIN])
      await fillJobs(database, PLUGIN, 13_000, Date.now())
      const counted = async () => {
        const [depth] = await queue.depths()
        return [depth?.waiting, depth?.delayed, depth?.held]
      }
      // Nothing is in Redis yet.
      assert.deepEqual(await counted(), [11_570, 130, 0])
      running = runReconciler({ database, queue, logger: testLogger, roundMs: 20, holdersMs: 10 }, stop.signal)
      // Redis has no signal for it.
      while ((await queue.client.hget(queue.queueOf(PLUGIN).key('meta'), MARK)) === null)
        await new Promise((resolve) => setTimeout(resolve, 10))
      const claims = await queue.claim(PLUGIN, 40)
      assert.deepEqual(await counted(), [11_530, 130, 40])
      const held = claims.map((claim) => claim.jobId)
      const live = await database.run<{ id: string }>('select id::text from xcore.jobs where finished_at is null order by id desc')
      const waiting = live.map((row) => row.id).filter((id) => !held.some((each) => each === id))
      const listed: JobId[] = []
      for (;;) {
        const before = listed.at(-1)
        const page = await queue.list({ plugin: PLUGIN, held: false, limit: 3_000, ...(before === undefined ? {} : { before }) })
        listed.push(...page)
        if (page.length < 3_000) break
      }
      assert.deepEqual(listed, waiting)
      assert.deepEqual((await queue.list({ held: true, limit: 100 })).sort(), held.sort())
      stop.abort()
      await running
      await server.stop()
      // Which of them run, nobody can tell.
      assert.deepEqual(await counted(), [11_570, 130, 0])
      assert.equal((await queue.list({ held: false, limit: 20_000 })).length, 11_700)
    } finally {
      stop.abort()
      await running
      await queue.stop()
      await database.close()
    }
  })
})

test('counts of Redis are completed, never lessened', () => {
  const count = fc.nat(1000)
  fc.assert(
    fc.property(count, count, count, count, count, (waiting, delayed, held, due, later) => {
      const seen = { plugin: PLUGIN, waiting, delayed, held, oldestWaitingSince: waiting > 0 ? new Date(50) : null }
      const whole = completed(seen, { due, delayed: later, oldest: due > 0 ? new Date(20) : null })
      assert.ok(whole.waiting >= waiting && whole.delayed >= delayed && whole.held === held)
      assert.ok(whole.waiting + whole.held >= due)
      assert.equal(whole.oldestWaitingSince === null, whole.waiting === 0)
    }),
  )
})
