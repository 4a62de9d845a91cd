import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pluginName } from '../../event-log/index.ts'
import { testDatabase } from '../../postgres/testing/index.ts'
import { startProcess } from '../../postgres/testing/processes/process.ts'
import { fireDue } from './fire.ts'
import type { ScheduleRegistry, ScheduleRequest } from './index.ts'
import { createMemorySchedules } from './memory/registry.ts'
import { runScheduler } from './run.ts'
import { openScheduler } from './testing/open-scheduler.ts'
import type { OpenScheduler } from './testing/open-scheduler.ts'

const P = pluginName('reports')
const T0 = Date.parse('2026-01-01T00:00:00Z')

function request(id: string, extra: Partial<ScheduleRequest> = {}): ScheduleRequest {
  return {
    plugin: P,
    id,
    trigger: { kind: 'interval', every_ms: 60_000 },
    args: [],
    missed: 'once',
    jitterSeconds: 0,
    method: 'report',
    priority: 50,
    maxAttempts: 3,
    pluginVersion: '1.0.0',
    replaceExisting: false,
    ...extra,
  }
}

interface FiredRow {
  readonly id: string
  readonly scheduled_for: string
}

function fired(t: OpenScheduler): Promise<FiredRow[]> {
  return t.database.run<FiredRow>(
    `select name as id, payload ->> 'scheduled_for' as scheduled_for from xcore.jobs where kind = 'schedule' order by 1, 2`,
  )
}

interface Registry {
  readonly registry: ScheduleRegistry
  readonly time: { now: number }
}

const REGISTRIES: readonly { readonly name: string; open(stack: AsyncDisposableStack): Promise<Registry> }[] = [
  {
    name: 'Postgres',
    async open(stack) {
      const time = { now: T0 }
      const home = stack.use(await testDatabase())
      const { registry } = stack.use(await openScheduler(home.url, () => time.now))
      return { registry, time }
    },
  },
  {
    name: 'memory',
    async open() {
      const time = { now: T0 }
      return { registry: createMemorySchedules(() => time.now), time }
    },
  },
]

for (const { name, open } of REGISTRIES) {
  describe(`registry in ${name}`, () => {
    test('an equal schedule goes on, a changed one needs replaceExisting and starts anew', async () => {
      await using stack = new AsyncDisposableStack()
      const { registry, time } = await open(stack)
      const next = async () =>
        (await registry.list(P)).map(({ id, nextRun, paused }) => `${id} ${nextRun?.toISOString().slice(11, 19)} ${paused}`)
      await registry.replace(P, [request('a'), request('b')])
      await registry.setPaused(P, 'b', true)
      time.now += 30_000
      await registry.replace(P, [request('a', { pluginVersion: '2.0.0', method: null }), request('b')])
      assert.deepEqual(await next(), ['a 00:01:00 false', 'b 00:01:00 true'])
      const changed = { trigger: { kind: 'interval', every_ms: 5_000 } } as const
      await assert.rejects(registry.replace(P, [request('c'), request('b', changed)]), {
        code: 'schedule_exists',
        message: /plugin reports has a schedule "b" with another definition already, found every 5 s; add replaceExisting: true/,
      })
      await assert.rejects(registry.add(request('a', { args: [1] })), { code: 'schedule_exists' })
      assert.deepEqual(await next(), ['a 00:01:00 false', 'b 00:01:00 true'])
      await registry.replace(P, [request('a'), request('b', { ...changed, replaceExisting: true })])
      assert.deepEqual(await next(), ['a 00:01:00 false', 'b 00:00:35 true'])
    })

    test('what onLoad no longer adds is removed, what was added at run time stays; a plugin that is gone has none', async () => {
      await using stack = new AsyncDisposableStack()
      const { registry } = await open(stack)
      const other = pluginName('other')
      const ids = async () => (await registry.list()).map(({ plugin, id, atRunTime }) => `${plugin} ${id} ${atRunTime}`)
      await registry.replace(P, [request('a'), request('b')])
      await registry.add(request('late'))
      await registry.add(request('b'))
      await registry.add(request('x', { plugin: other }))
      await registry.replace(P, [request('a')])
      assert.deepEqual(await ids(), ['other x true', 'reports a false', 'reports late true'])
      await registry.replace(P, [request('late')])
      assert.deepEqual(await ids(), ['other x true', 'reports late false'])
      assert.deepEqual([await registry.remove(P, 'late'), await registry.remove(P, 'late')], [true, false])
      assert.deepEqual([await registry.setPaused(P, 'late', true), await registry.setPaused(other, 'x', true)], [false, true])
      await registry.add(request('y'))
      assert.deepEqual(await registry.retain([P]), [other])
      await registry.forget(P)
      assert.deepEqual(await ids(), [])
    })
  })
}

describe('firing', () => {
  test('a firing is a durable job; the schedule moves on with it', async () => {
    await using home = await testDatabase()
    const time = { now: T0 }
    await using t = await openScheduler(home.url, () => time.now)
    await t.registry.replace(P, [request('a', { args: ['x', 1], priority: 70, jitterSeconds: 10 })])
    assert.equal((await fireDue(t.options, T0 + 64_999)).schedules, 0)
    const { jobs } = await fireDue(t.options, T0 + 65_000)
    assert.equal(jobs.length, 1)
    const [job] = await t.database.run(
      'select kind, plugin, name, payload, priority, max_attempts, state, correlation_id = id as starts_a_chain, meta from xcore.jobs',
    )
    assert.deepEqual(job, {
      kind: 'schedule',
      plugin: 'reports',
      name: 'a',
      payload: { args: ['x', 1], scheduled_for: '2026-01-01T00:01:00.000Z' },
      priority: 70,
      max_attempts: 3,
      state: 'queued',
      starts_a_chain: true,
      meta: { schedule: { method: 'report' } },
    })
    assert.deepEqual(await t.database.run(`select type from xcore.event_log`), [{ type: 'job.requested' }])
    assert.deepEqual(await t.database.run(`select priority from pgboss.job where name = 'reports'`), [{ priority: 70 }])
    const [schedule] = await t.registry.list()
    assert.deepEqual([schedule?.nextRun, schedule?.lastRun], [new Date(T0 + 120_000), new Date(T0 + 60_000)])
    assert.equal((await fireDue(t.options, T0 + 65_000)).schedules, 0)
    assert.match(await t.metrics.text(), /xcore_jobs_submitted_total\{plugin="reports",kind="schedule",source="schedule"\} 1/)
  })

  test('missed firings: once, skip and all, also after a pause', async () => {
    await using home = await testDatabase()
    const time = { now: T0 }
    await using t = await openScheduler(home.url, () => time.now)
    const date = { kind: 'date', at: new Date(T0 + 1000).toISOString() } as const
    await t.registry.replace(P, [
      request('all', { missed: 'all' }),
      request('once'),
      request('skip', { missed: 'skip', trigger: { kind: 'interval', every_ms: 400_000 } }),
      request('date', { trigger: date }),
      request('paused', { missed: 'all' }),
    ])
    await t.registry.add(request('date-late', { trigger: date }))
    await t.registry.setPaused(P, 'paused', true)
    await fireDue(t.options, T0 + 500_000)
    const runs = async () => (await fired(t)).map(({ id, scheduled_for }) => `${id} ${(Date.parse(scheduled_for) - T0) / 1000}`)
    assert.deepEqual(await runs(), [
      ...[120, 180, 240, 300, 360, 420, 480, 60].map((seconds) => `all ${seconds}`).sort((a, b) => Number(a.slice(4)) - Number(b.slice(4))),
      'date 1',
      'date-late 1',
      'once 480',
    ])
    assert.deepEqual(
      (await t.registry.list()).map(({ id, nextRun }) => [id, nextRun === null ? null : (nextRun.getTime() - T0) / 1000]),
      [
        ['all', 540],
        ['date', null],
        ['once', 540],
        ['paused', 60],
        ['skip', 800],
      ],
    )
    await t.registry.setPaused(P, 'paused', false)
    await fireDue(t.options, T0 + 130_000)
    assert.deepEqual((await runs()).slice(-2), ['paused 60', 'paused 120'])
    // The next start adds the date again: it has had its run.
    await t.registry.replace(P, [request('date', { trigger: date })])
    assert.equal((await fireDue(t.options, T0 + 900_000)).jobs.length, 0)
  })

  test('many that fire at once: each firing once', async () => {
    await using home = await testDatabase()
    await using one = await openScheduler(home.url, () => T0)
    await using other = await openScheduler(home.url, () => T0)
    await one.registry.replace(
      P,
      Array.from({ length: 300 }, (_, n) => request(`s${n}`)),
    )
    for (let minute = 1; minute <= 3; minute++) {
      const both = Array.from({ length: 6 }, (_, n) => fireDue((n % 2 === 0 ? one : other).options, T0 + minute * 60_000))
      await Promise.all(both)
      while ((await fireDue(one.options, T0 + minute * 60_000)).schedules > 0);
    }
    const rows = await fired(one)
    assert.equal(rows.length, 900)
    assert.equal(new Set(rows.map(({ id, scheduled_for }) => `${id} ${scheduled_for}`)).size, 900)
  })

  test('one that cannot be planned does not keep the others back', async () => {
    await using home = await testDatabase()
    await using t = await openScheduler(home.url, () => T0)
    await t.registry.replace(P, [request('a'), request('b')])
    await t.database.run(
      `update xcore.schedules set trigger = '{"kind":"cron","cron":"* * * * *","timezone":"Mars/Olympus"}' where id = 'a'`,
    )
    await fireDue(t.options, T0 + 60_000)
    assert.deepEqual(
      (await fired(t)).map(({ id }) => id),
      ['b'],
    )
    assert.equal((await fireDue(t.options, T0 + 60_000)).schedules, 0)
    assert.equal((await fireDue(t.options, T0 + 120_000)).schedules, 2)
  })

  test('it wakes for a schedule that another process adds, long before its poll', async () => {
    await using home = await testDatabase()
    await using leader = await openScheduler(home.url)
    await using other = await openScheduler(home.url)
    const stop = new AbortController()
    const { promise: first, resolve } = Promise.withResolvers<void>()
    const queue = {
      declare: leader.options.queue.declare.bind(leader.options.queue),
      enqueue: leader.options.queue.enqueue.bind(leader.options.queue),
      committed: async (entries: readonly unknown[]) => void (entries.length > 0 && resolve()),
    }
    const running = runScheduler({ ...leader.options, queue, pollMs: 600_000 }, stop.signal)
    try {
      await other.registry.add(request('soon', { trigger: { kind: 'interval', every_ms: 150 } }))
      const startedAt = Date.now()
      await first
      assert.ok(Date.now() - startedAt < 5_000)
    } finally {
      stop.abort()
      await running
    }
    assert.ok((await fired(leader)).length >= 1)
  })

  test('the leader is killed while it fires: none is lost, none comes twice', async () => {
    await using home = await testDatabase()
    await using t = await openScheduler(home.url)
    const every_ms = 150
    await t.registry.replace(
      P,
      Array.from({ length: 20 }, (_, n) => request(`s${n}`, { missed: 'all', trigger: { kind: 'interval', every_ms } })),
    )
    const program = '../../../services/scheduler/testing/processes/fire'
    const leader = startProcess(program, [home.url])
    await leader.next()
    for (let n = 0; n < 6; n++) await leader.next()
    await using follower = startProcess(program, [home.url])
    assert.ok('stands' in (await follower.next()))
    for (let n = 0; n < 3; n++) await leader.next()
    await leader.kill('SIGKILL')
    for (let n = 0; n < 6; n++) assert.ok('fired' in (await follower.next()))
    await follower.end()
    const bySchedule = Map.groupBy(await fired(t), ({ id }) => id)
    assert.equal(bySchedule.size, 20)
    for (const [id, rows] of bySchedule) {
      const times = rows.map(({ scheduled_for }) => Date.parse(scheduled_for))
      assert.ok(times.length > 5, `${id} fired ${times.length} times`)
      times
        .slice(1)
        .forEach((time, index) => assert.equal(time - (times[index] ?? 0), every_ms, `${id} after ${rows[index]?.scheduled_for}`))
    }
  })
})
