import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pluginName } from '../../event-log/ids.ts'
import { createDatabase } from '../../postgres/database.ts'
import { testDatabase, testLogger } from '../../postgres/testing/index.ts'
import { createBullmqQueue } from './queue.ts'
import { runReconciler } from './reconciler.ts'
import { REDIS_DEFAULTS } from './settings.ts'
import { NEEDS_REDIS, startRedisServer } from './testing/redis-server.ts'

const JOBS = 5_000
const PLUGIN = pluginName('restored')

// Ids that rise with the time of the request; every tenth job has finished.
const FILL = `
  insert into xcore.jobs (id, kind, plugin, name, state, priority, max_attempts, payload, result, requested_at, run_at, finished_at, correlation_id, plugin_version)
  select id, 'action', 'restored', 'a', case when over then 'succeeded' else 'queued' end, 50, 3, '{}', case when over then '{}'::jsonb end,
    now(), now(), case when over then now() end, id, '1'
  from (
    select (substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7000-8000-000000000000')::uuid as id, n % 10 = 0 as over
    from (select n, lpad(to_hex(1700000000000 + n), 12, '0') as h from generate_series(1, ${JOBS}) n) numbered
  ) made`

describe('the reconciler', NEEDS_REDIS, () => {
  test('fills an empty Redis with the live jobs, oldest first, and again after FLUSHALL', async () => {
    await using server = await startRedisServer()
    await using stored = await testDatabase()
    const database = createDatabase({ url: stored.url, applicationName: 'reconciler', max: 4 })
    const queue = createBullmqQueue({ redis: { ...REDIS_DEFAULTS, url: server.url }, database, logger: testLogger })
    const stop = new AbortController()
    let restored = 0
    let full = Promise.withResolvers<void>()
    const onRestored = (_plugin: string, jobs: number) => {
      restored += jobs
      if (restored >= (JOBS * 9) / 10) full.resolve()
    }
    let running: Promise<void> | undefined
    try {
      await queue.start()
      await queue.declare([PLUGIN])
      await database.run(FILL)
      running = runReconciler({ database, queue, logger: testLogger, roundMs: 100, holdersMs: 50, onRestored }, stop.signal)
      await full.promise
      for (let time = 0; time < 2; time++) {
        const ids = await queue.client.zrange(queue.queueOf(PLUGIN).key('prioritized'), '0', '-1')
        assert.equal(ids.length, (JOBS * 9) / 10)
        assert.deepEqual(ids, ids.toSorted())
        restored = 0
        full = Promise.withResolvers()
        await queue.client.flushall()
        await full.promise
      }
    } finally {
      stop.abort()
      await running
      await queue.stop()
      await database.close()
    }
  })
})
