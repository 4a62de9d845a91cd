import assert from 'node:assert/strict'
import { test } from 'node:test'
import { done, failed, interrupted, testPlugins, threw } from '../engine/testing/plugins.ts'
import { testEngine } from '../engine/testing/running.ts'
import { rebuild } from './rebuild.ts'

const KEEP_ALL = new Date(0)

test('the jobs table rebuilt from the log is equal to the live one, and a damaged one is mended', async () => {
  let interruptions = 0
  const plugins = testPlugins({
    shop: {
      handlers: {
        good: () => done({ n: 1 }),
        no: () => failed('sold_out', { details: { left: 0 } }),
        bad: () => threw('no'),
        shared: () => (interruptions++ < 5 ? interrupted() : done()),
        stuck: () => failed('busy', { retryable: true }),
      },
    },
  })
  await using t = await testEngine(plugins)
  const submit = (action: string, extra = {}) =>
    t.engine.submit({ plugin: 'shop', action, payload: { action, nested: [1, { a: 'ü' }] }, source: 'http', ...extra })
  const jobs = await Promise.all([
    ...Array.from({ length: 300 }, () => submit('good')),
    ...Array.from({ length: 20 }, () => submit('no')),
    ...Array.from({ length: 20 }, () => submit('bad')),
    submit('stuck'),
    submit('shared'),
    submit('shared'),
    submit('good', { idempotencyKey: 'k', priority: 3 }),
  ])
  for (const { jobId } of jobs) await t.engine.wait(jobId, 10_000)
  const later = await submit('good', { delaySeconds: 100 })
  const cancelled = await submit('good', { delaySeconds: 100 })
  await t.engine.cancel(cancelled.jobId, 'changed my mind')
  await t.engine.emit({ name: 'nobody.listens', data: null, source: 'test' })

  const report = await rebuild(t.database, { cutoff: KEEP_ALL, apply: false })
  assert.deepEqual(
    { ...report, events: undefined },
    { events: undefined, jobs: jobs.length + 2, orphans: 0, missing: 0, different: 0, surplus: 0 },
  )

  await t.database.run(`update xcore.jobs set priority = 1 where id = $1`, [jobs[0]?.jobId])
  await t.database.run(`delete from xcore.jobs where id = $1`, [jobs[1]?.jobId])
  const mended = await rebuild(t.database, { cutoff: KEEP_ALL })
  assert.deepEqual([mended.missing, mended.different, mended.surplus], [1, 1, 0])
  const again = await rebuild(t.database, { cutoff: KEEP_ALL })
  assert.deepEqual([again.missing, again.different, again.surplus], [0, 0, 0])
  assert.equal((await t.engine.get(later.jobId))?.state, 'scheduled')
})
