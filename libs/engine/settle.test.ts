import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomIds } from '../event-log/index.ts'
import type { JobId, StoredJob } from '../event-log/index.ts'
import { findJobs } from '../event-log/jobs-table.ts'
import { testLogger } from '../postgres/testing/index.ts'
import type { Claim } from '../queue/index.ts'
import { lostRow, outcomeRow } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { createSettler } from './settle.ts'
import { createSubscribers } from './subscriptions.ts'
import { createTransactional } from './transactional.ts'
import { done, testPlugins } from './testing/plugins.ts'
import { testEngine } from './testing/running.ts'
import type { TestEngine } from './testing/running.ts'

const plugins = testPlugins({ shop: { handlers: { order: () => done() } } })

/** Jobs that are held, by nobody who runs them. */
async function heldJobs(t: TestEngine, count: number): Promise<{ job: StoredJob; claim: Claim }[]> {
  const accepted = await Promise.all(
    Array.from({ length: count }, () => t.engine.submit({ plugin: 'shop', action: 'order', payload: {}, source: 'http' })),
  )
  const jobs = await findJobs(
    t.database,
    accepted.map(({ jobId }) => jobId),
  )
  const [plugin] = jobs.map((job) => job.plugin)
  assert.ok(plugin !== undefined)
  const claims = new Map((await t.queue.claim(plugin, count)).map((claim) => [claim.jobId, claim]))
  return jobs.map((job) => {
    const claim = claims.get(job.id)
    assert.ok(claim !== undefined)
    return { job, claim }
  })
}

function row(job: StoredJob, attempt: number, outcome: Outcome) {
  return outcomeRow(outcome, { job, attempt, worker: 'w/1', startedAt: Date.now(), finishedAt: Date.now(), pluginVersion: '1.0.0' })
}
const succeeded = (job: StoredJob, attempt: number, n: number) => row(job, attempt, { kind: 'succeeded', result: { status: 'ok', n } })

function settlerOf(t: TestEngine) {
  const told = { count: 0 }
  const onSettled = (ends: readonly unknown[]) => void (told.count += ends.length)
  const { database, queue } = t
  const transactional = createTransactional({ database, queue, subscribers: createSubscribers(), ids: randomIds, onCommit() {} })
  return { told, settler: createSettler({ database, queue, transactional, logger: testLogger, onSettled }) }
}

async function history(t: TestEngine, id: JobId): Promise<string[]> {
  return ((await t.engine.history(id)) ?? []).map(({ event }) => event.type)
}

test('a stale attempt’s late outcome is fenced, its neighbours in the batch are recorded', async () => {
  await using t = await testEngine(plugins, { consume: false })
  const { told, settler } = settlerOf(t)
  const [stale, fine] = await heldJobs(t, 2)
  assert.ok(stale !== undefined && fine !== undefined)
  const lost = await settler.settle({ ...stale, row: lostRow(stale.job, 'w/2', Date.now()), keepClaim: true })
  assert.ok(!lost.fenced)
  const [late, neighbour] = await Promise.all([
    settler.settle({ ...stale, row: succeeded(stale.job, 1, 1) }),
    settler.settle({ ...fine, row: succeeded(fine.job, 1, 2) }),
  ])
  assert.deepEqual([late.fenced, neighbour.fenced], [true, false])
  assert.deepEqual([...(await t.queue.held([stale.claim, fine.claim])).keys()], [stale.job.id], 'the holder of attempt 2 keeps its claim')
  const second = await settler.settle({ claim: stale.claim, job: lost.job, row: succeeded(lost.job, 2, 3) })
  assert.ok(!second.fenced)
  assert.deepEqual(await history(t, stale.job.id), ['job.requested', 'job.attempt_lost', 'job.succeeded'])
  assert.deepEqual([second.job.state, second.job.result, told.count], ['succeeded', { status: 'ok', n: 3 }, 3])
})

test('two outcomes of one job that meet in a batch: the first is recorded, the other fenced', async () => {
  await using t = await testEngine(plugins, { consume: false })
  const { told, settler } = settlerOf(t)
  const [same, stale] = await heldJobs(t, 2)
  assert.ok(same !== undefined && stale !== undefined)
  const lost = await settler.settle({ ...stale, row: lostRow(stale.job, 'w/2', Date.now()), keepClaim: true })
  assert.ok(!lost.fenced)
  told.count = 0
  const results = await Promise.all([
    settler.settle({ ...same, row: succeeded(same.job, 1, 1) }),
    settler.settle({ ...same, row: row(same.job, 1, { kind: 'failed', error: { code: 'no', message: 'no' } }) }),
    settler.settle({ ...stale, row: succeeded(stale.job, 1, 2) }),
    settler.settle({ claim: stale.claim, job: lost.job, row: succeeded(lost.job, 2, 3) }),
  ])
  assert.deepEqual(
    results.map(({ fenced }) => fenced),
    [false, true, true, false],
  )
  assert.equal(told.count, 2)
  assert.deepEqual(await history(t, same.job.id), ['job.requested', 'job.succeeded'])
  assert.deepEqual(await history(t, stale.job.id), ['job.requested', 'job.attempt_lost', 'job.succeeded'])
  assert.equal((await t.queue.held([same.claim, stale.claim])).size, 0)
})

test('an outcome that Postgres refuses does not take its batch with it', async () => {
  await using t = await testEngine(plugins, { consume: false })
  const { settler } = settlerOf(t)
  const jobs = await heldJobs(t, 5)
  const ends = await Promise.allSettled(
    jobs.map(({ job, claim }, n) =>
      settler.settle({ job, claim, row: row(job, 1, { kind: 'succeeded', result: { status: 'ok', text: n === 2 ? '\ud800' : 'fine' } }) }),
    ),
  )
  assert.deepEqual(
    ends.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  )
  const states = await Promise.all(jobs.map(async ({ job }) => (await t.engine.get(job.id))?.state))
  assert.deepEqual(states, ['succeeded', 'succeeded', 'active', 'succeeded', 'succeeded'])
})
