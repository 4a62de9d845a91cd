import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pluginName } from '../event-log/index.ts'
import { hostWith, pluginClass } from './testing/plugin-folder.ts'

const CALLEE = pluginClass(`
  actions = {
    typed: action({ input: Type.Object({ n: Type.Number() }), handler: ({ n }) => ok({ twice: n * 2 }) }),
    fails: action({ handler: () => error('no', { code: 'nope', statusCode: 409, details: [1] }) }),
    hangs: action({ handler: () => new Promise((resolve) => globalThis.releaseHung = resolve) }),
  }`)
const CALLER = pluginClass(`
  async handle(name, { plugin, action, payload, options }) {
    if (name === 'bad') return ok({ answer: await this.callPlugin('callee', 'typed', { n: 1n }) })
    if (name === 'enqueue') return ok({ id: await this.enqueue(plugin, action, payload, { ...options, ...(options?.runAt ? { runAt: new Date(options.runAt) } : {}) }) })
    return ok({ answer: await this.callPlugin(plugin, action, payload, options) })
  }`)

test('callPlugin answers with the result of a durable job, also when it is an error', async () => {
  await using loaded = await hostWith({ callee: CALLEE, caller: CALLER })
  const call = async (plugin: string, action: string, payload: { readonly [key: string]: number | string }) => {
    const result = await loaded.run('caller', 'call', { plugin, action, payload })
    return result.kind === 'ok' ? result.result['answer'] : result
  }
  assert.deepEqual(await call('callee', 'typed', { n: 4 }), { status: 'ok', twice: 8 })
  assert.deepEqual(await call('callee', 'fails', {}), { status: 'error', msg: 'no', code: 'nope', status_code: 409, details: [1] })
  assert.deepEqual(await call('callee', 'typed', { n: 'x' }), {
    status: 'error',
    msg: 'bad payload',
    code: 'validation_error',
    details: [{ path: '/payload/n', message: 'must be number, found "x"' }],
  })
  assert.deepEqual(await call('callee', 'none', {}), { status: 'error', msg: 'no action none', code: 'unknown_action' })
  assert.deepEqual(await call('nobody', 'x', {}), { status: 'error', msg: 'no plugin nobody', code: 'not_found' })
  const bad = await loaded.run('caller', 'bad')
  assert.match(
    bad.kind === 'threw' ? `${bad.error.code} ${bad.error.message}` : '',
    /^bad_request payload of the call of callee\/typed\/n: .*BigInt/,
  )
})

test('a call carries the job’s chain and never waits past its deadline', async () => {
  await using loaded = await hostWith({ callee: CALLEE, caller: CALLER })
  await loaded.run('caller', 'call', { plugin: 'callee', action: 'typed', payload: { n: 1 } }, { meta: { depth: 2 } })
  const [submitted] = loaded.platform.submitted
  assert.deepEqual([submitted?.source, submitted?.caller, submitted?.depth, submitted?.awaited], ['plugin', 'caller', 3, true])
  assert.equal([...loaded.platform.jobs.values()][0]?.causationId, submitted?.causationId)

  const late = await loaded.run(
    'caller',
    'call',
    { plugin: 'callee', action: 'hangs', options: { timeoutSeconds: 60 } },
    {},
    { deadline: new Date(Date.now() + 50) },
  )
  assert.ok(late.kind === 'threw')
  assert.equal(late.error.code, 'timeout')
  assert.match(late.error.message, /was not done within 0\.0\d+ s; its job [0-9a-f-]{36} goes on/)
  Reflect.get(globalThis, 'releaseHung')()
  const deep = await loaded.run('caller', 'call', { plugin: 'callee', action: 'typed', payload: { n: 1 } }, { meta: { depth: 32 } })
  assert.ok(deep.kind === 'threw' && deep.final && deep.error.code === 'loop_detected')
})

test('enqueue answers with the job’s id and hands on its options', async () => {
  await using loaded = await hostWith({ callee: CALLEE, caller: CALLER })
  const runAt = '2030-01-01T00:00:00.000Z'
  const result = await loaded.run('caller', 'enqueue', {
    plugin: 'callee',
    action: 'typed',
    payload: { n: 1 },
    options: { priority: 9, delaySeconds: 5, runAt, idempotencyKey: 'k' },
  })
  assert.ok(result.kind === 'ok')
  const [job] = loaded.platform.jobs.keys()
  assert.equal(result.result['id'], job)
  const [submitted] = loaded.platform.submitted
  assert.deepEqual(
    [submitted?.priority, submitted?.delaySeconds, submitted?.runAt?.toISOString(), submitted?.idempotencyKey, submitted?.awaited],
    [9, 5, runAt, 'k', undefined],
  )
  const unknown = await loaded.run('caller', 'enqueue', { plugin: 'callee', action: 'none', payload: {} })
  assert.equal(unknown.kind === 'threw' ? unknown.error.code : '', 'unknown_action')
  const tx = await loaded.run('caller', 'enqueue', { plugin: 'callee', action: 'typed', payload: { n: 1 }, options: { tx: {} } })
  assert.equal(tx.kind === 'threw' ? tx.error.code : '', 'bad_request')
  for (const [options, message] of [
    [{ runAt: 'soon' }, /runAt: expected a valid Date, found an invalid one/],
    [{ delaySeconds: -1 }, /delaySeconds: expected seconds of 0 or more, found -1/],
  ] as const) {
    const bad = await loaded.run('caller', 'enqueue', { plugin: 'callee', action: 'typed', payload: { n: 1 }, options })
    assert.ok(bad.kind === 'threw' && bad.error.code === 'bad_request')
    assert.match(bad.error.message, message)
  }
})

test('who waits in callPlugin gives its slot to others, names the actions that wait, and raises the priority of what it waits for', async () => {
  await using loaded = await hostWith({ callee: CALLEE, caller: CALLER })
  const waits: string[] = []
  const whileWaiting = async <T>(on: string, work: () => Promise<T>) => {
    waits.push(`gives its slot for ${on}`)
    const result = await work()
    waits.push('takes one again')
    return result
  }
  const call = { plugin: 'callee', action: 'typed', payload: { n: 1 } }
  await loaded.run('caller', 'call', call, { priority: 60, meta: { calls: ['shop/order'] } }, { whileWaiting })
  assert.deepEqual(waits, ['gives its slot for callee', 'takes one again'])
  const [submitted] = loaded.platform.submitted
  assert.deepEqual([submitted?.calls, submitted?.priorityFloor], [['shop/order', 'caller/call'], 61])
  await loaded.run('caller', 'enqueue', call, { meta: { calls: ['shop/order'] } }, { whileWaiting })
  assert.deepEqual([loaded.platform.submitted[1]?.calls, waits.length], [undefined, 2])
})

test('a job whose time is up makes no call', async () => {
  await using loaded = await hostWith({ callee: CALLEE, caller: CALLER })
  const call = { plugin: 'callee', action: 'typed', payload: { n: 1 } }
  const late = await loaded.run('caller', 'call', call, {}, { deadline: new Date(Date.now() - 1) })
  assert.ok(late.kind === 'threw' && late.error.code === 'timeout')
  assert.match(late.error.message, /was not made: the time of the job that calls is up/)
  assert.equal(loaded.platform.submitted.length, 0)
})

test('allowed_callers: globs of plugin names, for other plugins', async () => {
  const manifest = 'name: callee\nversion: 1.0.0\nallowed_callers: ["shop*", billing]\n'
  await using loaded = await hostWith({ callee: { 'plugin.yaml': manifest, 'src/main.ts': CALLEE }, open: CALLEE })
  const admits = (plugin: string, caller: string) => loaded.host.find(plugin)?.admits?.(pluginName(caller))
  assert.deepEqual(
    ['shop', 'shop-eu', 'billing', 'mail', 'billing2'].map((caller) => admits('callee', caller)),
    [true, true, true, false, false],
  )
  assert.equal(admits('open', 'anybody'), true)
})
