import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { jobId } from '../../event-log/index.ts'
import type { Job, JobId } from '../../event-log/index.ts'
import { rebuild } from '../../event-log/rebuild.ts'
import type { RunningEngine } from '../engine.ts'
import type { Invocation } from '../plugin-port.ts'
import { done, failed, testPlugins } from '../testing/plugins.ts'
import { testEngine } from '../testing/running.ts'

const BY = { actor: 'ada', reason: 'the bug is fixed' }

async function outcome(engine: RunningEngine, id: JobId): Promise<Job> {
  const job = await engine.wait(id, 10_000)
  assert.ok(job !== undefined && job.finishedAt !== null, `job ${id} has not finished: ${job?.state}`)
  return job
}

/** A shop that is broken until it is mended. */
function brokenShop() {
  const state = { mended: false, seen: [] as Invocation['job'][] }
  const plugins = testPlugins({
    shop: {
      handlers: {
        order: ({ job }) => {
          state.seen.push(job)
          return state.mended ? done() : failed('sold_out')
        },
      },
    },
  })
  return { state, plugins }
}

describe('the replay of one job', () => {
  test('is a new job of the same chain, and a replay of a replay knows its root', async () => {
    const { state, plugins } = brokenShop()
    await using t = await testEngine(plugins)
    const request = { plugin: 'shop', action: 'order', payload: { n: 1 }, idempotencyKey: 'k', source: 'http' } as const
    const { jobId: original } = await t.engine.submit(request)
    await outcome(t.engine, original)
    const first = await t.engine.replays.job(original, BY)
    assert.deepEqual([first.replayOf, first.root], [original, original])
    assert.equal((await outcome(t.engine, first.jobId)).state, 'failed')
    state.mended = true
    const second = await t.engine.replays.job(first.jobId, BY)
    const job = await outcome(t.engine, second.jobId)
    assert.deepEqual(
      [job.state, job.replayOf, job.root, job.correlationId, job.causationId, job.replayId, job.idempotencyKey],
      ['succeeded', first.jobId, original, original, second.replayId, second.replayId, 'k'],
    )
    assert.deepEqual([job.payload, job.priority, job.attempt], [{ n: 1 }, 50, 1])
    assert.equal(state.seen.at(-1)?.replayOf, first.jobId)
    assert.equal((await t.engine.get(original))?.state, 'failed')

    const story = await t.engine.replays.story(original)
    assert.deepEqual(
      story?.replays.map((replay) => [replay.id, replay.state]),
      [
        [first.jobId, 'failed'],
        [second.jobId, 'succeeded'],
      ],
    )
    assert.deepEqual(
      story?.events.map((logged) => [logged.stream, logged.event.type]),
      [
        [original, 'job.requested'],
        [original, 'job.failed'],
        [first.jobId, 'job.requested'],
        [first.jobId, 'job.failed'],
        [second.jobId, 'job.requested'],
        [second.jobId, 'job.succeeded'],
      ],
    )
    const asked = await t.database.run(`select data from xcore.event_log where type = 'replay.requested' and stream = $1`, [
      second.replayId,
    ])
    assert.deepEqual(asked, [{ data: { of: first.jobId, ...BY } }])
  })

  test('takes another payload, which the log keeps beside the original; the table rebuilt from it is equal', async () => {
    const { plugins, state } = brokenShop()
    await using t = await testEngine(plugins)
    const { jobId: original } = await t.engine.submit({ plugin: 'shop', action: 'order', payload: { n: 1 }, source: 'http' })
    await outcome(t.engine, original)
    state.mended = true
    const { jobId: id } = await t.engine.replays.job(original, { ...BY, edited: { payload: { n: 2, nothing: null } } })
    assert.deepEqual((await outcome(t.engine, id)).payload, { n: 2, nothing: null })
    assert.deepEqual(state.seen.at(-1)?.payload, { n: 2, nothing: null })
    assert.deepEqual((await t.engine.get(original))?.payload, { n: 1 })
    const history = (await t.engine.history(id)) ?? []
    assert.deepEqual(
      history.map((logged) => logged.event.type),
      ['job.requested', 'job.payload_edited', 'job.succeeded'],
    )
    const [requested, edited] = history
    assert.ok(requested?.event.type === 'job.requested' && edited?.event.type === 'job.payload_edited')
    assert.deepEqual(requested.event.payload, { n: 1 })
    assert.deepEqual([edited.event.payload, edited.event.actor, edited.event.reason], [{ n: 2, nothing: null }, BY.actor, BY.reason])
    const report = await rebuild(t.database, { cutoff: new Date(0), apply: false })
    assert.deepEqual([report.missing, report.different, report.surplus], [0, 0, 0])
  })

  test('is refused, with what to do, when it cannot be', async () => {
    const released = Promise.withResolvers<void>()
    const plugins = testPlugins({ shop: { handlers: { order: () => failed('no'), hang: () => released.promise.then(() => done()) } } })
    await using t = await testEngine(plugins)
    const submit = async (action: string) => (await t.engine.submit({ plugin: 'shop', action, payload: {}, source: 'http' })).jobId
    await assert.rejects(t.engine.replays.job(jobId('018f0000-0000-7000-8000-000000000001'), BY), { code: 'not_found' })
    const running = await submit('hang')
    await assert.rejects(t.engine.replays.job(running, BY), { code: 'job_not_finished' })
    released.resolve()
    await outcome(t.engine, running)
    const finished = await submit('order')
    await outcome(t.engine, finished)
    await assert.rejects(t.engine.replays.job(finished, { ...BY, edited: { payload: { text: '\u0000' } } }), { code: 'invalid_json' })

    const without = testPlugins({ shop: { handlers: {} } })
    await using later = await testEngine(without, { url: t.url, consume: false })
    await assert.rejects(later.engine.replays.job(finished, BY), { code: 'unknown_action' })
    await using gone = await testEngine(testPlugins({}), { url: t.url, consume: false })
    await assert.rejects(gone.engine.replays.job(finished, BY), { code: 'not_found', message: /plugin shop is not here any more/ })
    const careful = testPlugins({
      shop: {
        handlers: { order: () => done() },
        settings: { replay: 'unsafe' },
      },
    })
    await using unsafe = await testEngine(careful, { url: t.url, consume: false })
    await assert.rejects(unsafe.engine.replays.job(finished, BY), { code: 'replay_unsafe' })
    assert.equal((await unsafe.engine.replays.job(finished, { ...BY, force: true })).replayOf, finished)
  })
})
