import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jobId, randomIds } from '../event-log/index.ts'
import { hostWith, pluginClass } from './testing/plugin-folder.ts'

test('declared actions come first, others go to handle, and a payload is checked before and at the run', async () => {
  await using loaded = await hostWith({
    shop: pluginClass(
      `
      actions = {
        create: action({ description: 'Places an order', input: Order, handler: async (payload, job) => ok({ order_id: job.id, shop: this.ctx.name, user: payload.user_id }) }),
        anything: action({ handler: (payload) => ok({ payload }) }),
      }
      handle(name, payload) { return ok({ free: name, payload }) }`,
      `const Order = Type.Object({ user_id: Type.String(), amount: Type.Number({ minimum: 0 }), kind: Type.Optional(Type.Union([Type.Literal('a'), Type.Literal('b')])), tags: Type.Optional(Type.Array(Type.String({ maxLength: 3 }))), 'a/b': Type.Optional(Type.Null()) }, { additionalProperties: false })`,
    ),
    closed: pluginClass(`actions = { only: action({ handler: () => {} }) }`),
  })
  const shop = loaded.host.find('shop')
  const closed = loaded.host.find('closed')
  assert.ok(shop && closed)
  assert.deepEqual(shop.accepts('create', { user_id: 'u', amount: 1 }), { ok: true })
  assert.deepEqual(shop.accepts('create', { amount: -1, kind: 'c', tags: ['ab', 'long'.repeat(30)], 'a/b': 1, x: 1 }), {
    ok: false,
    reason: 'invalid',
    issues: [
      { path: '/payload/user_id', message: 'is required, found nothing' },
      { path: '/payload/x', message: 'must not be here: no such field is known' },
      { path: '/payload/amount', message: 'must be >= 0, found -1' },
      { path: '/payload/kind', message: 'must be one of "a", "b", found "c"' },
      { path: '/payload/tags/1', message: 'must not have more than 3 characters, found a text of 120 characters' },
      { path: '/payload/a~1b', message: 'must be null, found 1' },
    ],
  })
  const crowded = shop.accepts('create', {
    user_id: 'u',
    amount: 1,
    ...Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x${index}`, 1])),
  })
  assert.ok(!crowded.ok && crowded.reason === 'invalid' && crowded.issues.length === 20)
  const wordy = shop.accepts('create', { user_id: 'u', amount: 1, ['k'.repeat(100_000)]: 'v'.repeat(100_000) })
  assert.ok(JSON.stringify(wordy).length < 1000, 'a refusal never repeats the whole payload')
  assert.deepEqual(shop.accepts('create', null), {
    ok: false,
    reason: 'invalid',
    issues: [{ path: '/payload', message: 'must be object, found null' }],
  })
  assert.deepEqual(shop.accepts('free', []), {
    ok: false,
    reason: 'invalid',
    issues: [{ path: '/payload', message: 'must be an object, found a list of 0' }],
  })
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'other', '']) {
    assert.deepEqual(closed.accepts(name, {}), { ok: false, reason: 'unknown' }, name)
  }

  const id = jobId(randomIds.uuid())
  assert.deepEqual(await loaded.run('shop', 'create', { user_id: 'u', amount: 1 }, { id }), {
    kind: 'ok',
    result: { status: 'ok', order_id: id, shop: 'shop', user: 'u' },
  })
  assert.deepEqual(await loaded.run('shop', 'constructor', { a: 1 }), {
    kind: 'ok',
    result: { status: 'ok', free: 'constructor', payload: { a: 1 } },
  })
  const stale = await loaded.run('shop', 'create', { user_id: 'u' })
  assert.ok(stale.kind === 'error' && !stale.retryable)
  assert.deepEqual(
    [stale.error.code, stale.error.details],
    ['validation_error', [{ path: '/payload/amount', message: 'is required, found nothing' }]],
  )
  for (const job of [{}, { kind: 'event' }, { kind: 'schedule' }] as const) {
    const result = await loaded.run('closed', 'gone', {}, job)
    assert.ok(result.kind === 'error' && !result.retryable && result.error.code === 'no_handler')
  }
  assert.deepEqual(
    loaded.host
      .status('shop')
      ?.actions.map(({ name, input }) => [name, input === null ? null : JSON.parse(JSON.stringify(input)).required]),
    [
      ['create', ['user_id', 'amount']],
      ['anything', null],
    ],
  )
})

test('settings: the manifest of the action over the plugin’s own', async () => {
  const manifest = `name: tuned
version: 1.0.0
priority: 10
concurrency: 3
total_concurrency: 2
resources: {timeout_seconds: 20, rate_limit: {calls: 5, period_seconds: 2}}
runtime: {retry: {max_attempts: 7}}
actions: {fast: {timeout_seconds: 1, priority: 99, retry: {max_attempts: 1}}}
`
  await using loaded = await hostWith({
    tuned: {
      'plugin.yaml': manifest,
      'src/main.ts': pluginClass(
        `handle() {} onLoad() { this.ctx.events.on('a.*', () => {}, { priority: 80 }); this.ctx.events.on('a.b', () => {}, { priority: 5 }) }`,
      ),
    },
  })
  const tuned = loaded.host.find('tuned')
  assert.ok(tuned)
  const brief = (kind: 'action' | 'event' | 'schedule', name: string) => {
    const { timeoutSeconds, priority, retry } = tuned.settings(kind, name)
    return [timeoutSeconds, priority, retry.maxAttempts]
  }
  assert.deepEqual(tuned.limits, { concurrency: 3, totalConcurrency: 2, rateLimit: { calls: 5, periodSeconds: 2 } })
  assert.deepEqual(brief('action', 'fast'), [1, 99, 1])
  assert.deepEqual(brief('action', 'constructor'), [20, 10, 7])
  assert.deepEqual(brief('event', 'fast'), [20, 10, 7])
  assert.deepEqual(brief('event', 'a.b'), [20, 80, 7])
})

test('what handlers return and throw, plainly or with a promise', async () => {
  const cases: Readonly<Record<string, string>> = {
    nothing: ``,
    plain: `return { id: 1 }`,
    written_ok: `return { status: 'ok', id: 1 }`,
    written_error: `return { status: 'error', msg: 'no', hint: 'x' }`,
    error_full: `return error('no', { code: 'nope', statusCode: 409, details: { a: 1 } })`,
    error_retry: `return error('busy', { retryable: true, retryAfterSeconds: 9 })`,
    own_status: `return { status: 'shipped' }`,
    text: `return 'done'`,
    list: `return [1]`,
    func: `return ok({ f: () => 1 })`,
    bigint: `return ok({ n: 1n })`,
    undef: `return ok({ n: undefined })`,
    cycle: `const a = {}; a.a = a; return a`,
    nul: `return ok({ text: 'a\\u0000b' })`,
    huge: `return ok({ text: 'x'.repeat(1024 * 1024) })`,
    throws: `throw new TypeError('bad\\u0000 thing', { cause: new Error('root') })`,
    throws_text: `throw 'just text'`,
    throws_nothing: `throw undefined`,
    throws_object: `throw { a: 1 }`,
    throws_trap: `throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { return null } })`,
    http_404: `throw new HttpError(404, 'no such order', { details: { id: 1 } })`,
    http_502: `throw new HttpError(502, 'upstream')`,
    later: `throw new RetryLater(30, 'not yet')`,
    discard: `throw new Discard('never')`,
  }
  const members = Object.entries(cases).map(
    ([name, body]) =>
      `${name}: action({ handler: () => { ${body} } }), async_${name}: action({ handler: async () => { await null; ${body} } }),`,
  )
  await using loaded = await hostWith({ cases: pluginClass(`actions = { ${members.join('\n')} }`) })
  const run = async (name: string) => {
    const results = [await loaded.run('cases', name), await loaded.run('cases', `async_${name}`)]
    const [plain, promised] = results.map((result) => {
      if (result.kind === 'ok') return result
      const { stack, ...error } = result.error
      return { ...result, error, hasStack: stack !== undefined }
    })
    assert.deepEqual(plain, promised, name)
    return plain
  }
  const ok = (fields: object) => ({ kind: 'ok', result: { status: 'ok', ...fields } })
  const threw = (error: object, more: object = {}) => ({ kind: 'threw', error, hasStack: true, ...more })
  const failed = (error: object, more: object = {}) => ({ kind: 'error', error, retryable: false, hasStack: false, ...more })
  assert.deepEqual(await run('nothing'), ok({}))
  assert.deepEqual(await run('plain'), ok({ id: 1 }))
  assert.deepEqual(await run('written_ok'), ok({ id: 1 }))
  assert.deepEqual(await run('written_error'), failed({ code: 'error', message: 'no', details: { hint: 'x' } }))
  assert.deepEqual(await run('error_full'), failed({ code: 'nope', message: 'no', statusCode: 409, details: { a: 1 } }))
  assert.deepEqual(await run('error_retry'), failed({ code: 'error', message: 'busy' }, { retryable: true, retryAfterSeconds: 9 }))
  const invalid: Readonly<Record<string, RegExp>> = {
    own_status: /found "shipped"; put an object of your own into a field/,
    text: /found a string; wrap it/,
    list: /found a list; wrap it/,
    func: /^result\/f: expected a JSON value, found a function; return ok/,
    bigint: /^result\/n: .*BigInt/,
    undef: /^result\/n: .*undefined/,
    cycle: /^result\/a: .*cycle/,
    nul: /U\+0000/,
    huge: /at most 1048576 bytes/,
  }
  for (const [name, message] of Object.entries(invalid)) {
    const result = await run(name)
    assert.ok(result?.kind === 'error' && !result.retryable, name)
    assert.equal(result.error.code, 'invalid_result')
    assert.match(result.error.message, message)
  }
  assert.deepEqual(await run('throws'), threw({ code: 'handler_error', message: 'bad\uFFFD thing' }))
  assert.deepEqual(await run('throws_text'), threw({ code: 'handler_error', message: 'just text' }, { hasStack: false }))
  assert.deepEqual(await run('throws_nothing'), threw({ code: 'handler_error', message: 'undefined' }, { hasStack: false }))
  assert.deepEqual(await run('throws_object'), threw({ code: 'handler_error', message: '{"a":1}' }, { hasStack: false }))
  assert.equal((await run('throws_trap'))?.kind, 'threw')
  assert.deepEqual(await run('http_404'), failed({ code: 'not_found', message: 'no such order', statusCode: 404, details: { id: 1 } }))
  assert.deepEqual(await run('http_502'), threw({ code: 'handler_error', message: 'upstream', statusCode: 502 }))
  assert.deepEqual(await run('later'), threw({ code: 'handler_error', message: 'not yet' }, { retryAfterSeconds: 30 }))
  assert.deepEqual(await run('discard'), threw({ code: 'handler_error', message: 'never' }, { final: true }))
  const threwWithCause = await loaded.run('cases', 'throws')
  assert.match(threwWithCause.kind === 'threw' ? (threwWithCause.error.stack ?? '') : '', /\[cause\]: Error: root/)
})

test('the job context, and loggers that know the job', async () => {
  await using loaded = await hostWith({
    seer: pluginClass(`
      async onLoad() { this.logger.info('loaded') }
      async handle(name, payload, job) {
        if (name === 'progress') { job.progress(0.5); job.progress(payload.to) }
        if (name === 'transaction') await job.transaction(async () => {})
        await null
        this.logger.info('from this')
        job.logger.info('from job')
        setImmediate(() => this.ctx.logger.info('later'))
        const { id, attempt, maxAttempts, priority, isReplay, replayOf, idempotencyKey, correlationId, deadline } = job
        return ok({ id, attempt, maxAttempts, priority, isReplay, replayOf, idempotencyKey, correlationId, deadline, aborted: job.signal.aborted, same: job.signal === payload.signal })
      }`),
  })
  const replayOf = jobId(randomIds.uuid())
  const deadline = new Date(Date.now() + 5000)
  const gone = AbortSignal.abort()
  const result = await loaded.run(
    'seer',
    'x',
    {},
    { attempt: 2, maxAttempts: 5, priority: 7, replayOf, idempotencyKey: 'k' },
    { deadline, signal: gone },
  )
  assert.ok(result.kind === 'ok')
  const { id, correlationId, ...rest } = result.result
  assert.deepEqual(rest, {
    status: 'ok',
    attempt: 2,
    maxAttempts: 5,
    priority: 7,
    isReplay: true,
    replayOf,
    idempotencyKey: 'k',
    deadline: deadline.toISOString(),
    aborted: true,
    same: false,
  })
  await new Promise((resolve) => setImmediate(resolve))
  const about = loaded.lines.map(({ msg, plugin, job, attempt, correlation_id }) => ({ msg, plugin, job, attempt, correlation_id }))
  const known = { plugin: 'seer', job: id, attempt: 2, correlation_id: correlationId }
  assert.deepEqual(about, [
    { msg: 'loaded', plugin: 'seer', job: undefined, attempt: undefined, correlation_id: undefined },
    { msg: 'from this', ...known },
    { msg: 'from job', ...known },
    { msg: 'later', ...known },
  ])
  const progress = await loaded.run('seer', 'progress', { to: 2 })
  assert.match(progress.kind === 'threw' ? progress.error.message : '', /expected a number from 0 to 1, found 2/)
  const transaction = await loaded.run('seer', 'transaction')
  assert.deepEqual(transaction.kind === 'threw' ? transaction.error.code : '', 'service_unknown')
})

test('services: made once a plugin, others are named in the error', async () => {
  const made: string[] = []
  await using loaded = await hostWith(
    {
      user: pluginClass(
        `onLoad() { this.clock = this.getService('clock') } handle(name) { return ok({ same: this.getService('clock') === this.clock, got: this.getService(name) === undefined }) }`,
      ),
    },
    { services: { clock: ({ name }) => (made.push(name), { of: name }), cache: () => ({}) } },
  )
  assert.deepEqual(await loaded.run('user', 'clock'), { kind: 'ok', result: { status: 'ok', same: true, got: false } })
  assert.deepEqual(made, ['user'])
  const unknown = await loaded.run('user', 'cahce')
  assert.ok(unknown.kind === 'threw' && unknown.error.code === 'service_unknown')
  assert.match(unknown.error.message, /asked for "cahce"; expected one of: clock, cache, scheduler\. Did you mean "cache"\?/)
  const proto = await loaded.run('user', 'constructor')
  assert.ok(proto.kind === 'threw' && proto.error.code === 'service_unknown')
})
