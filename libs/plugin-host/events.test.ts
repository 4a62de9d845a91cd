import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostWith, pluginClass } from './testing/plugin-folder.ts'

const LISTENER = pluginClass(`
  seen = []
  onLoad() {
    this.ctx.events.on('user.created', this.onUser)
    this.ctx.events.on('user.*', this.onUser, { priority: 100 })
    this.ctx.events.on('user.*', this.onUser)
    this.ctx.events.on('order.[ab]', (event) => { this.seen.push(event.name) }, { id: 'orders' })
    this.ctx.events.once('first', () => {})
    const dropped = this.ctx.events.on('never', this.onUser)
    dropped.off()
  }
  onUser(event, job) { this.seen.push({ event, depth: job.id }); return ok({ at: event.time }) }
  async handle(name, payload) {
    switch (name) {
      case 'seen': return ok({ seen: this.seen })
      case 'later': { const later = this.ctx.events.on('late.*', this.onUser, { id: 'late' }); await later.ready; return ok({ id: later.id }) }
      case 'stop': await this.ctx.events.off('late.*'); return
      case 'emit': return ok({ id: await this.ctx.events.emit(payload.name, payload.data, payload.options ?? {}) })
      case 'on': this.ctx.events.on(payload.pattern, payload.noHandler ? undefined : this.onUser, payload.options ?? {})
    }
  }`)

test('subscriptions get stable ids and are known before the plugin is ready', async () => {
  await using first = await hostWith({ listener: LISTENER })
  await using second = await hostWith({ listener: LISTENER })
  const known = (host: typeof first) =>
    [...host.platform.registered.values()].map(({ id, pattern, priority, once, maxAttempts }) => [id, pattern, priority, once, maxAttempts])
  assert.deepEqual(known(first), [
    ['user.created#onUser#1', 'user.created', 50, false, 3],
    ['user.*#onUser#1', 'user.*', 100, false, 3],
    ['user.*#onUser#2', 'user.*', 50, false, 3],
    ['orders', 'order.[ab]', 50, false, 3],
    ['first#anonymous#1', 'first', 50, true, 3],
  ])
  assert.deepEqual(known(second), known(first))
  assert.deepEqual(first.host.status('listener')?.subscriptions[3], { id: 'orders', pattern: 'order.[ab]', priority: 50 })
  assert.deepEqual(first.platform.retained, [['listener']])
})

test('an event emitted in a job reaches each subscription, with the plugin as this, and carries its origin', async () => {
  await using loaded = await hostWith({ listener: LISTENER })
  const emitted = await loaded.run(
    'listener',
    'emit',
    { name: 'user.created', data: { email: 'a@b.c' } },
    { meta: { depth: 4, traceparent: '00-1-2-01' } },
  )
  assert.ok(emitted.kind === 'ok')
  await loaded.platform.settled()
  const [request] = loaded.platform.emitted
  assert.ok(request)
  assert.deepEqual(
    [request.name, request.data, request.source, request.depth, request.caller, request.traceparent],
    ['user.created', { email: 'a@b.c' }, 'xcore://plugins/listener', 5, 'listener', '00-1-2-01'],
  )
  const deliveries = [...loaded.platform.jobs.values()]
  assert.equal(deliveries.length, 3)
  for (const delivery of deliveries) {
    assert.equal(delivery.state, 'succeeded')
    assert.equal(delivery.correlationId, request.correlationId)
    assert.equal(delivery.meta.depth, 5)
  }
  const seen = await loaded.run('listener', 'seen')
  assert.ok(seen.kind === 'ok' && Array.isArray(seen.result['seen']))
  const { event } = seen.result['seen'][0]
  assert.deepEqual(Object.keys(event), ['id', 'name', 'data', 'source', 'time', 'correlationId'])
  assert.deepEqual(
    [event.id, event.name, event.data, event.correlationId],
    [emitted.result['id'], 'user.created', { email: 'a@b.c' }, request.correlationId],
  )
})

test('subscribing and unsubscribing later is told to every process', async () => {
  await using loaded = await hostWith({ listener: LISTENER })
  assert.deepEqual(await loaded.run('listener', 'later'), { kind: 'ok', result: { status: 'ok', id: 'late' } })
  assert.equal(loaded.platform.registered.get('listener late')?.pattern, 'late.*')
  await loaded.run('listener', 'stop')
  assert.equal(loaded.platform.registered.has('listener late'), false)
  const stale = await loaded.run('listener', 'late.x', {}, { kind: 'event' })
  assert.equal(stale.kind === 'error' ? stale.error.code : '', 'no_handler')
})

test('what cannot be subscribed or emitted is refused with the reason', async () => {
  await using loaded = await hostWith({ listener: LISTENER })
  const problem = async (name: string, payload: { readonly [key: string]: string | number | boolean | object }, depth = 0) => {
    const result = await loaded.run('listener', name, JSON.parse(JSON.stringify(payload)), { meta: { depth } })
    return result.kind === 'threw' ? `${result.error.code}: ${result.error.message}${result.final ? ' (final)' : ''}` : result.kind
  }
  assert.match(await problem('on', { pattern: '' }), /bad_request: .*at least one character/)
  assert.match(await problem('on', { pattern: 'a[' }), /bad_request: .*closes the "\["/)
  assert.match(
    await problem('on', { pattern: 'a', noHandler: true }),
    /bad_request: .*expected a function as handler of a, found undefined/,
  )
  assert.match(await problem('on', { pattern: 'a', options: { priority: 101 } }), /bad_request: .*0 to 100 as priority of a, found 101/)
  assert.match(await problem('on', { pattern: 'a', options: { id: 'orders' } }), /bad_request: .*id orders is taken/)
  assert.match(await problem('emit', { name: 'a b' }), /bad_request: .*without spaces, found "a b"/)
  assert.match(
    await problem('emit', { name: 'a', options: { delaySeconds: -1 } }),
    /bad_request: delaySeconds: expected seconds of 0 or more, found -1/,
  )
  assert.match(await problem('emit', { name: 'a', options: { tx: {} } }), /bad_request: tx: expected the tx of job\.transaction/)
  assert.match(
    await problem('emit', { name: 'a' }, 32),
    /loop_detected: the event a by plugin listener: expected a chain of at most 32 .* \(final\)/,
  )
  assert.equal(await problem('emit', { name: 'a' }, 31), 'ok')
})

test('an event that sets itself off ends at the limit of the chain', async () => {
  await using loaded = await hostWith({
    echo: pluginClass(
      `onLoad() { this.ctx.events.on('echo', (event) => this.ctx.events.emit('echo', event.data).then(() => {})) } async handle() { await this.ctx.events.emit('echo') }`,
    ),
  })
  await loaded.run('echo', 'start')
  await loaded.platform.settled()
  assert.equal(loaded.platform.emitted.length, 32)
  const ends = [...loaded.platform.jobs.values()].filter(({ state }) => state !== 'succeeded')
  assert.deepEqual(
    ends.map(({ error, meta }) => [error?.code, meta.depth]),
    [['loop_detected', 32]],
  )
})
