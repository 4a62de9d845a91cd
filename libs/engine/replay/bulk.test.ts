import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { JobId } from '../../event-log/index.ts'
import { rebuild } from '../../event-log/rebuild.ts'
import { done, failed, testPlugins } from '../testing/plugins.ts'
import { carryingOut, insertFinished, replayUntil } from '../testing/replays.ts'
import { testEngine } from '../testing/running.ts'
import type { TestEngine } from '../testing/running.ts'
import type { NamedReplay, ReplayFilter } from './port.ts'
import { retireReplays } from './replays-table.ts'

const named = (filter: ReplayFilter, extra: Partial<NamedReplay> = {}): NamedReplay => ({
  name: 'busy shop',
  reason: 'the shop is open again',
  actor: 'ada',
  selection: { kind: 'jobs', filter },
  ...extra,
})

function shop() {
  const state = { works: false, priorities: [] as number[] }
  const plugins = testPlugins({
    shop: {
      limits: { concurrency: 50 },
      handlers: {
        order: ({ job }) => {
          state.priorities.push(job.priority)
          return state.works ? done() : failed('busy')
        },
        other: () => failed('other'),
      },
    },
  })
  return { state, plugins }
}

async function submitted(t: TestEngine, count: number, action = 'order'): Promise<JobId[]> {
  const answers = await Promise.all(
    Array.from({ length: count }, (_, n) =>
      t.engine.submit({ plugin: 'shop', action, payload: { n, tags: ['a', `t${n % 2}`] }, source: 'http' }),
    ),
  )
  const ids = answers.map((answer) => answer.jobId)
  for (const id of ids) await t.engine.wait(id, 10_000)
  return ids
}

describe('a bulk replay', () => {
  test('repeats what its filter matches, each once, in a lane of lower priority, and tells how far it is', async () => {
    const { state, plugins } = shop()
    await using t = await testEngine(plugins)
    const ids = await submitted(t, 30)
    await submitted(t, 3, 'other')
    await t.engine.replays.job(ids[0] ?? assert.fail(), { actor: 'ada' }).then(({ jobId }) => t.engine.wait(jobId, 10_000))
    state.works = true
    await t.engine.replays.job(ids[1] ?? assert.fail(), { actor: 'ada' }).then(({ jobId }) => t.engine.wait(jobId, 10_000))
    state.priorities = []

    const request = named({ plugin: 'shop', errorCode: 'busy' })
    const plan = await t.engine.replays.plan(request)
    // 30 and the failed replay of the first; the first is superseded by that one, the second was replayed with success.
    assert.deepEqual([plan.matched, plan.toReplay, plan.leftOut], [31, 29, { superseded: 1, already_succeeded: 1 }])
    assert.deepEqual([plan.byPlugin, plan.byName, plan.byError], [{ shop: 31 }, { 'shop/order': 31 }, { busy: 31 }])
    assert.equal(plan.sample.length, 10)

    await using _leader = carryingOut(t.engine)
    const started = await t.engine.replays.start(request)
    assert.equal(started.progress.total, 31)
    const replay = await replayUntil(t.engine, started.id, 'completed')
    assert.deepEqual(replay.progress, {
      total: 31,
      enqueued: 29,
      queued: 0,
      succeeded: 29,
      failed: 0,
      cancelled: 0,
      leftOut: { superseded: 1, already_succeeded: 1 },
      remaining: 0,
      etaSeconds: null,
    })
    assert.deepEqual(new Set(state.priorities), new Set([10]))
    const items = await t.database.run<{ n: number }>('select count(*)::int as n from xcore.replay_items where replay_id = $1', [
      started.id,
    ])
    assert.equal(items[0]?.n, 31)
    assert.equal((await t.engine.list({ replayId: started.id, limit: 200 })).jobs.length, 29)
    assert.match(await t.metrics.text(), /xcore_replay_items_total\{result="enqueued"\} 29/)
    const again = await t.engine.replays.plan(request)
    assert.deepEqual([again.toReplay, again.leftOut.already_succeeded], [0, 31])
    const report = await rebuild(t.database, { cutoff: new Date(0), apply: false })
    assert.deepEqual([report.missing, report.different, report.surplus], [0, 0, 0])
  })

  test('filters by everything that it says it does', async () => {
    const { plugins } = shop()
    await using t = await testEngine(plugins)
    const ids = await submitted(t, 6)
    const [, , third] = ids
    const job = await t.engine.get(third ?? assert.fail())
    assert.ok(job !== undefined)
    const matched = async (filter: ReplayFilter) => (await t.engine.replays.plan(named(filter))).matched
    assert.equal(await matched({ plugin: 'shop', kind: 'action', name: 'order', errorCode: 'busy', pluginVersion: '1.0.0' }), 6)
    assert.equal(await matched({ errorFingerprint: job.errorFingerprint ?? 'none' }), 6)
    assert.equal(await matched({ correlationId: job.correlationId }), 1)
    assert.equal(await matched({ payload: [{ path: ['n'], equals: 2 }] }), 1)
    assert.equal(
      await matched({
        payload: [
          { path: ['tags', '1'], equals: 't0' },
          { path: ['n'], equals: 4 },
        ],
      }),
      1,
    )
    assert.equal((await matched({ since: job.requestedAt, until: new Date(job.requestedAt.getTime() + 1), plugin: 'shop' })) > 0, true)
    for (const none of [
      { plugin: 'no' },
      { kind: 'event' },
      { name: 'no' },
      { states: ['succeeded'] },
      { pluginVersion: '2.0.0' },
      { until: new Date(1) },
    ] as const) {
      assert.equal(await matched(none), 0, JSON.stringify(none))
    }
    await assert.rejects(t.engine.replays.start(named({ plugin: 'no' })), { code: 'nothing_to_replay' })
    assert.deepEqual(await t.engine.replays.list(10), [])
  })

  test('leaves out what nobody handles, what does not fit and what is unsafe, and says so', async () => {
    const { plugins } = shop()
    await using t = await testEngine(plugins, { consume: false })
    await insertFinished(t.database, 5, { plugin: 'shop', name: 'order', state: 'failed' })
    await insertFinished(t.database, 4, { plugin: 'shop', name: 'removed', state: 'failed' })
    await insertFinished(t.database, 3, { plugin: 'gone', name: 'order', state: 'failed' })
    const plan = await t.engine.replays.plan(named({ errorCode: 'busy' }))
    assert.deepEqual([plan.matched, plan.toReplay, plan.leftOut], [12, 5, { unhandled: 7 }])
    assert.deepEqual(
      plan.unhandled.map(({ plugin, name, count }) => [plugin, name, count]),
      [
        ['shop', 'removed', 4],
        ['gone', 'order', 3],
      ],
    )
    await using careful = await testEngine(testPlugins({ shop: { handlers: { order: () => done() }, settings: { replay: 'unsafe' } } }), {
      url: t.url,
      consume: false,
    })
    assert.deepEqual((await careful.engine.replays.plan(named({ name: 'order', plugin: 'shop' }))).leftOut, { unsafe: 5 })
    assert.equal((await careful.engine.replays.plan(named({ name: 'order', plugin: 'shop' }, { force: true }))).toReplay, 5)
  })

  test('two operators who start the same at once: one does, the other is told, and no job runs twice', async () => {
    const { state, plugins } = shop()
    await using t = await testEngine(plugins)
    await using other = await testEngine(plugins, { url: t.url, consume: false })
    await submitted(t, 20)
    state.works = true
    const starts = await Promise.allSettled([
      t.engine.replays.start(named({ plugin: 'shop' })),
      other.engine.replays.start(named({ plugin: 'shop' })),
      other.engine.replays.start(named({ plugin: 'shop' }, { name: 'the same under another name' })),
    ])
    const refused = starts.filter((start) => start.status === 'rejected')
    assert.equal(refused.length, 1)
    assert.match(String(refused[0]?.reason), /A replay named "busy shop" is running or paused already/)
    await using _leader = carryingOut(t.engine)
    for (const start of starts) if (start.status === 'fulfilled') await replayUntil(t.engine, start.value.id, 'completed')
    const replays = await t.engine.list({ limit: 200 })
    assert.equal(replays.jobs.filter((job) => job.replayOf !== null).length, 20)
  })

  test('is paused, resumed and cancelled; one that ended says so', async () => {
    const { plugins } = shop()
    await using t = await testEngine(plugins, { consume: false })
    await insertFinished(t.database, 500, { plugin: 'shop', name: 'order', state: 'failed' })
    await using _leader = carryingOut(t.engine)
    const { id } = await t.engine.replays.start(named({ plugin: 'shop' }, { ratePerSecond: 200 }))
    await replayUntil(t.engine, id, (replay) => replay.progress.enqueued > 0)
    const paused = await t.engine.replays.pause(id, { actor: 'bob' })
    assert.equal(paused.state, 'paused')
    // Every transaction of the replay locks its row: after the pause there is none.
    assert.equal((await t.engine.replays.get(id))?.progress.enqueued, paused.progress.enqueued)
    assert.ok(paused.progress.remaining > 0)
    assert.equal((await t.engine.replays.resume(id, { actor: 'bob' })).state, 'running')
    await replayUntil(t.engine, id, (replay) => replay.progress.enqueued > paused.progress.enqueued)
    const cancelled = await t.engine.replays.cancel(id, { actor: 'bob', reason: 'enough' })
    assert.equal(cancelled.state, 'cancelled')
    const after = await replayUntil(t.engine, id, (replay) => replay.progress.queued === 0)
    assert.equal(after.progress.cancelled, after.progress.enqueued)
    assert.equal((await t.engine.replays.cancel(id, { actor: 'bob' })).state, 'cancelled')
    await assert.rejects(t.engine.replays.resume(id, { actor: 'bob' }), { code: 'replay_finished' })
    await assert.rejects(t.engine.replays.pause('018f0000-0000-7000-8000-000000000001', { actor: 'bob' }), { code: 'not_found' })
    assert.deepEqual(await t.database.run('select id from pgboss.job limit 1'), [])
    const log = await t.database.run<{ type: string; state: string }>(
      `select type, data ->> 'state' as state from xcore.event_log where stream = $1 order by position`,
      [id],
    )
    assert.deepEqual(
      log.map((row) => row.state),
      [null, 'paused', 'running', 'cancelled'],
    )
    // What was cancelled can be replayed by the next one.
    assert.equal((await t.engine.replays.plan(named({ plugin: 'shop' }))).toReplay, 500)
  })

  test('stops by itself when too many fail', async () => {
    const { plugins } = shop()
    await using t = await testEngine(plugins)
    await insertFinished(t.database, 400, { plugin: 'shop', name: 'order', state: 'failed' })
    await using _leader = carryingOut(t.engine)
    const { id } = await t.engine.replays.start(named({ plugin: 'shop' }, { ratePerSecond: 300, stopAtFailures: 0.5 }))
    const { progress } = await replayUntil(t.engine, id, (replay) => replay.state === 'stopped' && replay.progress.queued === 0)
    assert.ok(progress.failed >= 20 && progress.enqueued < 400, JSON.stringify(progress))
  })

  test('goes with retention once the last of its jobs has finished', async () => {
    const { state, plugins } = shop()
    state.works = true
    await using t = await testEngine(plugins)
    await insertFinished(t.database, 5, { plugin: 'shop', name: 'order', state: 'failed' })
    const { id } = await t.engine.replays.start(named({ plugin: 'shop' }))
    assert.equal(await retireReplays(t.database, new Date(Date.now() + 60_000)), 0)
    await using _leader = carryingOut(t.engine)
    const { finishedAt } = await replayUntil(t.engine, id, 'completed')
    assert.equal(await retireReplays(t.database, finishedAt ?? assert.fail()), 0)
    assert.equal(await retireReplays(t.database, new Date(Date.now() + 60_000)), 1)
    assert.equal(await t.engine.replays.get(id), undefined)
    assert.deepEqual(await t.database.run('select from xcore.replay_items'), [])
  })

  test('goes on under another leader, and enqueues no item twice', async () => {
    const { state, plugins } = shop()
    state.works = true
    await using t = await testEngine(plugins)
    await insertFinished(t.database, 3_000, { plugin: 'shop', name: 'order', state: 'failed' })
    const { id } = await t.engine.replays.start(named({ plugin: 'shop' }, { ratePerSecond: 5_000 }))
    {
      await using _first = carryingOut(t.engine)
      await replayUntil(t.engine, id, (replay) => replay.progress.enqueued > 0)
    }
    await using other = await testEngine(plugins, { url: t.url, consume: false })
    // Two at once, as while the lead passes on: the row of the replay lets in one at a time.
    await using _second = carryingOut(other.engine)
    await using _third = carryingOut(t.engine)
    const { progress } = await replayUntil(other.engine, id, 'completed')
    assert.deepEqual([progress.enqueued, progress.succeeded], [3_000, 3_000])
  })
})
