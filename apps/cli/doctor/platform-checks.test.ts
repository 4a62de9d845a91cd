import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDatabase } from '../../../libs/postgres/database.ts'
import { testDatabase } from '../../../libs/postgres/testing/index.ts'
import { ensurePartitions } from '../../../libs/event-log/partitions.ts'
import { checkOrphanedJobs, checkPartitions, checkWorkers } from './platform-checks.ts'

const JOB = `
  insert into xcore.jobs (id, kind, plugin, name, state, priority, max_attempts, payload, requested_at, run_at, correlation_id, plugin_version)
  select gen_random_uuid(), 'action', $1, 'a', 'queued', 50, 3, '{}', now(), now() - interval '5 minutes', gen_random_uuid(), '1.0.0'`

async function opened() {
  const home = await testDatabase()
  const database = createDatabase({ url: home.url, applicationName: 'doctor test' })
  return {
    url: home.url,
    database,
    async [Symbol.asyncDispose]() {
      await database.close()
      await home[Symbol.asyncDispose]()
    },
  }
}

test('log partitions: fine, missing ahead, missing today', async () => {
  await using t = await opened()
  await ensurePartitions(t.database)
  const now = Date.now()
  assert.equal((await checkPartitions(t.database, now)).status, 'ok')
  const soon = await checkPartitions(t.database, now + 6 * 86_400_000)
  assert.deepEqual([soon.status, soon.detail.includes('missing: in 2, 3 days')], ['warn', true])
  assert.equal((await checkPartitions(t.database, now + 8 * 86_400_000)).status, 'fail')
})

test('jobs of plugins that have no folder', async () => {
  await using t = await opened()
  assert.equal((await checkOrphanedJobs(t.database, [])).detail, 'none')
  for (const plugin of ['shop', 'gone', 'gone', 'mail']) await t.database.run(JOB, [plugin])
  const found = await checkOrphanedJobs(t.database, ['mail', 'shop'])
  assert.deepEqual([found.status, found.detail], ['warn', '2 of gone'])
  assert.equal((await checkOrphanedJobs(t.database, ['mail', 'shop', 'gone'])).status, 'ok')
})

test('work that is due, and no worker', async () => {
  await using t = await opened()
  assert.equal((await checkWorkers(t.database)).status, 'ok')
  await t.database.run(JOB, ['shop'])
  const missing = await checkWorkers(t.database)
  assert.equal(missing.status, 'warn')
  assert.match(missing.detail, /^none is connected, and 1 jobs are due, the oldest for 30\d s$/)
  const worker = createDatabase({ url: t.url, applicationName: 'xcore worker' })
  await worker.ready()
  assert.equal((await checkWorkers(t.database)).status, 'ok')
  await worker.close()
})
