import assert from 'node:assert/strict'
import { test } from 'node:test'
import { done, testPlugins } from '../engine/testing/plugins.ts'
import { testEngine } from '../engine/testing/running.ts'
import { DAYS_AHEAD, ensurePartitions, listPartitions, retentionCutoff, retire } from './partitions.ts'

const DAY_MS = 24 * 60 * 60 * 1000

test('the cutoff is the start of a UTC day', () => {
  assert.equal(retentionCutoff(Date.UTC(2026, 4, 20, 13, 5), 30).toISOString(), '2026-04-20T00:00:00.000Z')
})

test('what is past retention is gone from everywhere; a job that has not finished keeps its day', async () => {
  await using t = await testEngine(testPlugins({ shop: { handlers: { order: () => done() } } }))
  const submit = (extra = {}) => t.engine.submit({ plugin: 'shop', action: 'order', payload: {}, source: 'http', ...extra })
  const finished = await submit({ idempotencyKey: 'k' })
  await t.engine.wait(finished.jobId, 10_000)
  const waiting = await submit({ delaySeconds: 1_000 })

  // In two days' time both are past a retention of one day.
  const cutoff = retentionCutoff(Date.now() + 2 * DAY_MS, 1)
  const first = await retire(t.database, cutoff)
  assert.equal(first.jobs, 1)
  assert.equal(await t.engine.get(finished.jobId), undefined)
  assert.equal((await t.engine.history(waiting.jobId))?.length, 1)
  assert.ok((await listPartitions(t.database)).some((partition) => partition.end - DAY_MS <= Date.now() && partition.end > Date.now()))

  await t.engine.cancel(waiting.jobId)
  const second = await retire(t.database, cutoff)
  assert.equal(second.jobs, 1)
  assert.ok((await listPartitions(t.database)).every((partition) => partition.end > cutoff.getTime()))
  assert.equal(await t.engine.history(finished.jobId), undefined)

  const made = await ensurePartitions(t.database)
  assert.ok(made >= 1, 'today was dropped and is made again')
  assert.equal((await listPartitions(t.database)).length, DAYS_AHEAD + 1)
  await t.engine.wait((await submit()).jobId, 10_000)
})
