import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventId, jobId, pluginName } from '../../libs/event-log/index.ts'
import type { JobId } from '../../libs/event-log/index.ts'
import type { Subscription } from '../../libs/engine/port.ts'
import { done, failed, testPlugins } from '../../libs/engine/testing/plugins.ts'
import { carryingOut, replayUntil } from '../../libs/engine/testing/replays.ts'
import { testEngine } from '../../libs/engine/testing/running.ts'
import type { TestEngine } from '../../libs/engine/testing/running.ts'
import { jsonOf, startApi } from './testing/start-api.ts'

const subscription = (plugin: string, id: string, pattern: string): Subscription => ({
  plugin: pluginName(plugin),
  id,
  pattern,
  priority: 50,
  once: false,
  maxAttempts: 1,
})

/** The api over a real engine whose plugin `shop` sells out, and whose plugin `mail` may be down. */
async function open() {
  await using stack = new AsyncDisposableStack()
  const state: { works: boolean; mail: boolean; engine?: TestEngine['engine'] } = { works: false, mail: false }
  const plugins = testPlugins({
    shop: {
      handlers: {
        order: async ({ job }) => {
          if (!state.works) return failed('sold_out', { details: { left: 0 } })
          await state.engine?.emit({
            name: 'order.placed',
            data: job.payload,
            source: 'shop',
            correlationId: job.correlationId,
            causationId: job.id,
          })
          return done()
        },
      },
    },
    mail: { handlers: { confirm: () => (state.mail ? done() : failed('smtp_down')), count: () => done() } },
  })
  const t = stack.use(await testEngine(plugins))
  state.engine = t.engine
  await t.engine.subscriptions.replace(pluginName('mail'), '1.0.0', [subscription('mail', 'confirm', 'order.*')])
  const api = stack.use(await startApi({ engine: t.engine, replays: t.engine.replays }))
  const owned = stack.move()
  return {
    state,
    t,
    api,
    plugins,
    async order(payload: unknown = { n: 1 }): Promise<JobId> {
      const { job_id: id } = await jsonOf(await api.post('/ipc/shop/order', { payload }, { prefer: 'wait=10' }))
      return jobId(String(id))
    },
    get: async (path: string) => jsonOf(await api.request(path)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

describe('POST /jobs/{id}/replay', () => {
  test('answers the new job, and the story tells the whole of it', async () => {
    await using x = await open()
    const id = await x.order()
    x.state.works = true
    const response = await x.api.post(`/jobs/${id}/replay`, { reason: 'restocked', payload: { n: 2 } })
    assert.equal(response.status, 202)
    const answer = await jsonOf(response)
    assert.equal(response.headers.get('location'), `/jobs/${String(answer['job_id'])}`)
    assert.deepEqual([answer['replay_of'], answer['root']], [id, id])
    const replay = await x.t.engine.wait(jobId(String(answer['job_id'])), 10_000)
    assert.deepEqual([replay?.state, replay?.payload], ['succeeded', { n: 2 }])
    const delivered = (await x.t.engine.list({ kind: 'event' })).jobs[0] ?? assert.fail()
    await x.t.engine.wait(delivered.id, 10_000)

    const job = await x.get(`/jobs/${String(answer['job_id'])}`)
    assert.deepEqual(
      [job['replay_of'], job['root'], job['replay_id'], job['causation_id']],
      [id, id, answer['replay_id'], answer['replay_id']],
    )
    const original = await x.get(`/jobs/${id}/events`)
    const events = original['events']
    assert.ok(Array.isArray(events))
    assert.deepEqual(
      events.map((event) => [event.job_id === id ? 'original' : 'replay', event.type]),
      [
        ['original', 'job.requested'],
        ['original', 'job.failed'],
        ['replay', 'job.requested'],
        ['replay', 'job.payload_edited'],
        ['replay', 'job.succeeded'],
      ],
    )
    assert.ok(events[1].duration_seconds >= 0 && events[1].worker === 'test/1' && events[1].plugin_version === '1.0.0')
    assert.deepEqual([events[1].error.code, events[1].error.details], ['sold_out', { left: 0 }])
    const replays = original['replays']
    assert.ok(Array.isArray(replays))
    assert.deepEqual(
      replays.map((each) => [each.job_id, each.state, each.replay_of]),
      [[answer['job_id'], 'succeeded', id]],
    )
    // The tree of what the replay caused: an event, and its delivery, which failed.
    const { caused } = await x.get(`/jobs/${String(answer['job_id'])}/events`)
    assert.ok(Array.isArray(caused))
    assert.deepEqual(
      caused.map((each) => [each.type, each.name, each.caused.map((job: Record<string, unknown>) => [job['plugin'], job['state']])]),
      [['event', 'order.placed', [['mail', 'failed']]]],
    )
  })

  test('bad input has a clear answer', async () => {
    await using x = await open()
    const id = await x.order()
    const missing = '0198c0de-0000-7000-8000-000000000001'
    const cases: [path: string, body: unknown, status: number, code: string, detail: RegExp][] = [
      [`/jobs/${missing}/replay`, {}, 404, 'not_found', /There is no job/],
      ['/jobs/7/replay', {}, 404, 'not_found', /UUID/],
      [`/jobs/${id}/replay`, { resaon: 'x' }, 400, 'bad_request', /Did you mean "reason"/],
      [`/jobs/${id}/replay`, { reason: 7 }, 400, 'bad_request', /"\/reason": expected a text/],
      [`/jobs/${id}/replay`, [], 400, 'bad_request', /expected an object/],
      [`/events/${missing}/replay`, {}, 404, 'not_found', /There is no event/],
      ['/replays', undefined, 400, 'bad_request', /expected an object/],
      ['/replays', { name: 'a', reason: 'b' }, 400, 'bad_request', /"\/filter": expected an object with at least one/],
      ['/replays', { name: 'a', reason: 'b', filter: {} }, 400, 'bad_request', /at least one/],
      ['/replays', { name: 'a', reason: 'b', filter: { plugn: 'shop' } }, 400, 'bad_request', /Did you mean "plugin"/],
      ['/replays', { name: 'a', reason: 'b', filter: { state: 'queued' } }, 400, 'bad_request', /only finished jobs/],
      ['/replays', { name: 'a', reason: 'b', filter: { since: 'yesterday' } }, 400, 'bad_request', /such as 30m/],
      ['/replays', { name: 'a', reason: 'b', filter: { plugin: 'shop' }, rate_per_second: 0 }, 400, 'bad_request', /jobs per second/],
      ['/replays', { name: 'a', reason: 'b', filter: { plugin: 'shop' }, to: 'all' }, 400, 'bad_request', /"event" together with "to"/],
      ['/replays', { reason: 'b', filter: { plugin: 'shop' } }, 400, 'bad_request', /"\/name"/],
      ['/replays', { name: 'a', filter: { plugin: 'shop' } }, 400, 'bad_request', /"\/reason"/],
      ['/replays', { name: 'a', reason: 'b', filter: { plugin: 'none' } }, 422, 'nothing_to_replay', /no replay was started/],
      [`/replays/${missing}/pause`, undefined, 404, 'not_found', /There is no bulk replay/],
    ]
    for (const [path, body, status, code, detail] of cases) {
      const response = await x.api.request(path, {
        method: 'POST',
        ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      })
      const answer = await jsonOf(response)
      assert.deepEqual([response.status, answer['code']], [status, code], `${path} ${JSON.stringify(body)}: ${String(answer['detail'])}`)
      assert.match(String(answer['detail']), detail)
    }
    assert.equal((await x.api.request(`/replays/${missing}`)).status, 404)
    assert.deepEqual((await x.get('/replays'))['replays'], [])
    assert.equal((await x.t.engine.list({})).jobs.length, 1)
  })
})

describe('POST /replays', () => {
  test('plans, starts, and tells progress until it is completed', async () => {
    await using x = await open()
    for (let n = 0; n < 5; n++) await x.order({ n })
    x.state.works = true
    const filter = { plugin: 'shop', state: 'failed,dead', error_code: 'sold_out', since: '1h', payload: { n: 3 } }
    const dry = await x.api.post('/replays', { name: 'n', reason: 'r', filter, dry_run: true })
    assert.equal(dry.status, 200)
    const plan = await jsonOf(dry)
    assert.deepEqual([plan['matched'], plan['to_replay'], plan['by_plugin'], plan['by_error']], [1, 1, { shop: 1 }, { sold_out: 1 }])
    assert.deepEqual([plan['invalid'], plan['unhandled'], plan['already_succeeded'], plan['unsafe']], [[], [], 0, 0])
    const started = await x.api.post('/replays', {
      name: 'restock',
      reason: 'r',
      filter: { ...filter, payload: undefined },
      rate_per_second: 100,
    })
    assert.equal(started.status, 201)
    const replay = await jsonOf(started)
    assert.equal(started.headers.get('location'), `/replays/${String(replay['replay_id'])}`)
    assert.deepEqual([replay['state'], replay['total'], replay['actor'], replay['rate_per_second']], ['running', 5, 'local', 100])
    const frozen = Object(replay['filter'])
    assert.match(frozen.since, /^\d{4}-.*Z$/)
    const twice = await x.api.post('/replays', { name: 'restock', reason: 'r', filter })
    assert.deepEqual([twice.status, (await jsonOf(twice))['code']], [409, 'replay_exists'])
    await using _leader = carryingOut(x.t.engine)
    await replayUntil(x.t.engine, String(replay['replay_id']), 'completed')
    const done = await x.get(`/replays/${String(replay['replay_id'])}`)
    assert.deepEqual([done['state'], done['succeeded'], done['failed'], done['remaining']], ['completed', 5, 0, 0])
    const jobs = (await x.get(`/jobs?replay_id=${String(replay['replay_id'])}`))['jobs']
    assert.ok(Array.isArray(jobs) && jobs.length === 5 && jobs.every((job) => job.priority === 10))
    assert.equal((await x.api.post(`/replays/${String(replay['replay_id'])}/cancel`, {})).status, 409)
  })
})

describe('events', () => {
  test('are replayed to those that failed, to all, or to one that subscribed later', async () => {
    await using x = await open()
    const emitted = await x.t.engine.emit({ name: 'order.placed', data: { n: 1 }, source: 'test' })
    const [first] = emitted.jobs
    assert.equal((await x.t.engine.wait(first ?? assert.fail(), 10_000))?.state, 'failed')
    const replay = async (body: unknown) => {
      const response = await x.api.post(`/events/${emitted.eventId}/replay`, body)
      const answer = await jsonOf(response)
      const jobs = (Array.isArray(answer['jobs']) ? answer['jobs'] : []).map((id) => jobId(String(id)))
      return { status: response.status, code: answer['code'], jobs: await Promise.all(jobs.map((id) => x.t.engine.wait(id, 10_000))) }
    }
    x.state.mail = true
    const again = await replay({ to: 'failed', reason: 'mail is up' })
    assert.deepEqual(
      [again.status, again.jobs.map((job) => [job?.state, job?.replayOf, job?.meta.event?.id, job?.payload])],
      [202, [['succeeded', first, emitted.eventId, { n: 1 }]]],
    )
    assert.deepEqual(await replay({ to: 'failed' }), { status: 422, code: 'nothing_to_replay', jobs: [] })
    assert.equal((await replay({ to: { plugin: 'mail', subscription: 'count' } })).code, 'nothing_to_replay')
    await x.t.engine.subscriptions.add(subscription('mail', 'count', 'order.*'))
    const backfilled = await replay({ to: { plugin: 'mail', subscription: 'count' } })
    assert.deepEqual(
      backfilled.jobs.map((job) => [job?.state, job?.replayOf, job?.causationId, job?.meta.event?.subscription]),
      [['succeeded', null, emitted.eventId, 'count']],
    )
    assert.equal((await replay({ to: 'all' })).jobs.length, 2)
    assert.equal((await replay({ to: 'al' })).status, 400)
  })

  test('are delivered to a new subscriber over a time range, each once', async () => {
    await using x = await open()
    x.state.mail = true
    const events = await Promise.all(
      Array.from({ length: 25 }, (_, n) =>
        x.t.engine.emit({ name: n < 20 ? 'order.placed' : 'user.created', data: { n }, source: 'test' }),
      ),
    )
    await x.t.engine.subscriptions.add(subscription('mail', 'count', 'order.*'))
    await x.api.post(`/events/${events[0]?.eventId ?? ''}/replay`, { to: { plugin: 'mail', subscription: 'count' } })
    await x.t.engine.list({}).then(({ jobs }) => Promise.all(jobs.map((job) => x.t.engine.wait(job.id, 10_000))))
    const body = { name: 'backfill', reason: 'new', filter: { kind: 'event', since: '1h' }, to: { plugin: 'mail', subscription: 'count' } }
    const plan = await jsonOf(await x.api.post('/replays', { ...body, dry_run: true }))
    assert.deepEqual([plan['matched'], plan['to_replay'], plan['left_out']], [25, 19, { already_succeeded: 1, unhandled: 5 }])
    await using _leader = carryingOut(x.t.engine)
    const started = await jsonOf(await x.api.post('/replays', body))
    const replay = await replayUntil(x.t.engine, String(started['replay_id']), 'completed')
    assert.deepEqual([replay.progress.succeeded, replay.progress.leftOut], [19, { already_succeeded: 1, unhandled: 5 }])
    const story = await x.t.engine.replays.event(eventId(events[3]?.eventId ?? ''), { actor: 'x', to: { plugin: 'mail' } })
    assert.equal(story.jobs.length, 2)
  })
})

describe('GET /jobs/failures', () => {
  test('groups what failed alike', async () => {
    await using x = await open()
    for (let n = 0; n < 3; n++) await x.order({ n })
    await x.t.engine
      .emit({ name: 'order.placed', data: {}, source: 'test' })
      .then(({ jobs }) => x.t.engine.wait(jobs[0] ?? jobId(''), 10_000))
    const { failures } = await x.get('/jobs/failures')
    assert.ok(Array.isArray(failures))
    assert.deepEqual(
      failures.map((group) => [group.plugin, group.name, group.error_code, group.count, group.message]),
      [
        ['mail', 'order.placed', 'smtp_down', 1, 'failed with smtp_down'],
        ['shop', 'order', 'sold_out', 3, 'failed with sold_out'],
      ],
    )
    const group = failures[1]
    assert.ok(group.first_seen <= group.last_seen)
    const jobs = (await x.get(`/jobs?error_fingerprint=${group.error_fingerprint}`))['jobs']
    assert.ok(Array.isArray(jobs) && jobs.length === 3 && jobs.some((job) => job.job_id === group.sample_job_id))
    assert.deepEqual((await x.get('/jobs/failures?plugin=none'))['failures'], [])
    assert.equal((await x.api.request('/jobs/failures?state=dead')).status, 400)
  })
})
