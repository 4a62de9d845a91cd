import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostWith, pluginClass } from './testing/plugin-folder.ts'

const KEEPER = pluginClass(`
  count = 0
  async onLoad() {
    const scheduler = this.getService('scheduler')
    scheduler.addJob({ id: 'tidy', trigger: 'interval', minutes: 5, func: this.tidy, replaceExisting: true })
    scheduler.addJob({ id: 'closure', trigger: 'cron', cron: '30 2 * * *', timezone: 'Europe/Stockholm', func: () => ok({ from: 'closure' }) })
    scheduler.addJob({ id: 'greet', trigger: 'date', runDate: '2030-01-01T00:00:00Z', func: this.greet.bind(this), args: ['Ada', { at: new Date(0) }] })
  }
  tidy(job) { this.count += 1; return ok({ count: this.count, kind: typeof job.id }) }
  greet(name, { at }, job) { return ok({ hello: name, at, attempt: job.attempt, plugin: this.ctx.name }) }
  fails() { throw new Error('no') }
  async handle(name, payload) {
    const scheduler = this.getService('scheduler')
    if (name === 'jobs') return ok({ jobs: await scheduler.getJobs() })
    if (name === 'later') return ok({ id: await scheduler.addJob({ trigger: 'date', runDate: new Date(payload.at), func: this.greet, args: ['Bo', {}] }) })
    if (name === 'closure') return ok({ id: await scheduler.addJob({ id: 'x', trigger: 'interval', hours: 1, func: () => 1 }) })
    if (name === 'clash') return ok({ id: await scheduler.addJob({ id: 'tidy', trigger: 'interval', hours: 1, func: this.tidy }) })
    if (name === 'pause') return ok({ done: await scheduler.pauseJob(payload.id) ?? null })
    if (name === 'resume') return ok({ done: await scheduler.resumeJob(payload.id) ?? null })
    if (name === 'remove') return ok({ removed: await scheduler.removeJob(payload.id) })
  }`)

const fire = (loaded: Awaited<ReturnType<typeof hostWith>>, name: string, args: readonly string[] = [], method?: string) =>
  loaded.run(
    'keeper',
    name,
    { args, scheduled_for: '2026-01-01T00:00:00.000Z' },
    {
      kind: 'schedule',
      meta: method === undefined ? {} : { schedule: { method } },
    },
  )

test('a firing calls the function with the plugin as this, its args and the job', async () => {
  await using loaded = await hostWith({ keeper: KEEPER })
  assert.deepEqual(await fire(loaded, 'tidy'), { kind: 'ok', result: { status: 'ok', count: 1, kind: 'string' } })
  assert.deepEqual(await fire(loaded, 'tidy'), { kind: 'ok', result: { status: 'ok', count: 2, kind: 'string' } })
  assert.deepEqual(await fire(loaded, 'closure'), { kind: 'ok', result: { status: 'ok', from: 'closure' } })
  const [, greet] = await loaded.platform.schedules.list('keeper')
  assert.deepEqual(greet?.args, ['Ada', { at: '1970-01-01T00:00:00.000Z' }])
  const greeted = await loaded.run('keeper', 'greet', { args: [...(greet?.args ?? [])] }, { kind: 'schedule' })
  assert.deepEqual(greeted, {
    kind: 'ok',
    result: { status: 'ok', hello: 'Ada', at: '1970-01-01T00:00:00.000Z', attempt: 1, plugin: 'keeper' },
  })
})

test('a schedule of another process or an earlier start is found by its method; one that is gone is no_handler', async () => {
  await using loaded = await hostWith({ keeper: KEEPER })
  assert.equal((await fire(loaded, 'made elsewhere', [], 'tidy')).kind, 'ok')
  for (const method of [undefined, 'none', 'constructor', '']) {
    const result = await fire(loaded, 'gone', [], method)
    assert.ok(result.kind === 'error' && result.error.code === 'no_handler', String(method))
    assert.match(result.error.message, /no handler for the schedule gone/)
  }
  const failed = await fire(loaded, 'x', [], 'fails')
  assert.ok(failed.kind === 'threw' && failed.error.code === 'handler_error')
})

test('schedules of onLoad are known once it has ended, with their methods', async () => {
  await using loaded = await hostWith({ keeper: KEEPER })
  const known = await loaded.platform.schedules.list()
  assert.deepEqual(
    known.map(({ plugin, id, method, atRunTime, pluginVersion }) => [plugin, id, method, atRunTime, pluginVersion]),
    [
      ['keeper', 'closure', null, false, '1.0.0'],
      ['keeper', 'greet', 'greet', false, '1.0.0'],
      ['keeper', 'tidy', 'tidy', false, '1.0.0'],
    ],
  )
})

test('adding, pausing and removing while the plugin runs', async () => {
  await using loaded = await hostWith({ keeper: KEEPER })
  const code = async (name: string, payload = {}) => {
    const result = await loaded.run('keeper', name, payload)
    return result.kind === 'ok' ? result.result : `${result.error.code}: ${result.error.message}`
  }
  const later = await loaded.run('keeper', 'later', { at: '2031-01-01T00:00:00Z' })
  assert.ok(later.kind === 'ok')
  const id = String(later.result['id'])
  assert.match(id, /^[0-9a-f-]{36}$/)
  const [added] = (await loaded.platform.schedules.list()).filter((schedule) => schedule.id === id)
  assert.deepEqual([added?.method, added?.atRunTime, added?.nextRun?.toISOString()], ['greet', true, '2031-01-01T00:00:00.000Z'])
  assert.match(String(await code('closure')), /^schedule_invalid: scheduler\.addJob: func: expected a method of the plugin/)
  assert.match(
    String(await code('clash')),
    /^schedule_exists: scheduler\.addJob: plugin keeper has a schedule "tidy" with another definition/,
  )
  await code('pause', { id: 'tidy' })
  const jobs = await loaded.run('keeper', 'jobs')
  assert.ok(jobs.kind === 'ok' && Array.isArray(jobs.result['jobs']))
  assert.equal(jobs.result['jobs'].length, 4)
  const { nextRun: _, ...tidy } = jobs.result['jobs'].find((job: { id: string }) => job.id === 'tidy')
  assert.deepEqual(tidy, {
    id: 'tidy',
    trigger: 'interval',
    description: 'every 300 s',
    args: [],
    missed: 'once',
    paused: true,
    lastRun: null,
  })
  await code('resume', { id: 'tidy' })
  assert.match(String(await code('resume', { id: 'none' })), /^not_found: scheduler\.resumeJob: plugin keeper has no schedule "none"/)
  assert.deepEqual(await code('remove', { id: 'tidy' }), { status: 'ok', removed: true })
  assert.deepEqual(await code('remove', { id: 'tidy' }), { status: 'ok', removed: false })
})

test('a bad schedule refuses its plugin alone, with the field', async () => {
  const bad = (members: string) => pluginClass(`onLoad() { this.getService('scheduler').addJob(${members}) } tidy() {}`)
  await using loaded = await hostWith({
    cron: bad(`{ id: 'a', trigger: 'cron', cron: '99 * * * *', func: this.tidy }`),
    field: bad(`{ id: 'a', trigger: 'interval', minute: 1, func: this.tidy }`),
    twice: pluginClass(
      `onLoad() { for (const minutes of [1, 2]) this.getService('scheduler').addJob({ id: 'a', trigger: 'interval', minutes, func: this.tidy }) } tidy() {}`,
    ),
    good: KEEPER,
  })
  const errors = loaded.host.statuses().map(({ name, lastError }) => `${name}: ${lastError?.message ?? 'ready'}`)
  assert.match(
    errors.find((line) => line.startsWith('cron')) ?? '',
    /cron: expected 5 fields .*found "99 \* \* \* \*" \(Invalid value for minute: 99\)/,
  )
  assert.match(errors.find((line) => line.startsWith('field')) ?? '', /minute: .*Did you mean "minutes"\?/)
  assert.match(errors.find((line) => line.startsWith('twice')) ?? '', /adds the schedule "a" twice/)
  assert.ok(errors.includes('good: ready'))
})

test('a plugin that is unloaded for good has no schedules', async () => {
  await using loaded = await hostWith({ keeper: KEEPER })
  await loaded.host.unload('keeper')
  assert.deepEqual(await loaded.platform.schedules.list(), [])
  await loaded.host.load('keeper')
  assert.equal((await loaded.platform.schedules.list()).length, 3)
})
