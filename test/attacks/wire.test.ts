import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pino } from 'pino'
import { XCoreError } from '../../libs/errors/index.ts'
import { live } from '../../libs/plugin-host/runners/sandboxed/host/launch.ts'
import { stackMap } from '../../libs/plugin-host/runners/sandboxed/host/stack-map.ts'
import { SandboxProcess } from '../../libs/plugin-host/runners/sandboxed/host/process.ts'
import type { SandboxEnd } from '../../libs/plugin-host/runners/sandboxed/host/end.ts'
import { makeGround } from './harness.ts'
import type { Ground } from './harness.ts'

// What a plugin could do that has taken over its whole process, the runtime inside included: programs that speak on the wire by themselves.
const PRELUDE = `
import { Socket } from 'node:net'
const wire = new Socket({ fd: 3, readable: true, writable: true })
const frame = (value) => { const text = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)); const head = Buffer.alloc(4); head.writeUInt32LE(text.length); return Buffer.concat([head, text]) }
const send = (...values) => wire.write(Buffer.concat(values.map(frame)))
const onFrame = (listener) => { let rest = Buffer.alloc(0); wire.on('data', (d) => { rest = Buffer.concat([rest, d]); while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32LE(0)) { const n = rest.readUInt32LE(0); listener(JSON.parse(rest.subarray(4, 4 + n))); rest = rest.subarray(4 + n) } }) }
const hello = { t: 'hello', protocol: 1 }
const loaded = { t: 'loaded', actions: [], freeForm: true, routes: false, declaredRoutes: [], subscriptions: [] }
const alive = setInterval(() => {}, 1000)
send(hello)
`
/** Loads well, then does this for each job. */
const atJob = (code: string) =>
  `${PRELUDE}\nonFrame((f) => { if (f.t === 'init') send(loaded); if (f.t === 'ping') send({ t: 'pong', id: f.id }); if (f.t === 'job') { const id = f.id; ${code} } })`
const ok = `{ t: 'done', id, result: { kind: 'ok', result: { status: 'ok' } } }`

const BOOT: Readonly<Record<string, string>> = {
  'says nothing': `setInterval(() => {}, 1000)`,
  'ends at once': `process.exit(0)`,
  'speaks another protocol': `${PRELUDE.replace('send(hello)', `send({ t: 'hello', protocol: 99 })`)}`,
  'sends bytes that are no frames': `${PRELUDE}\nwire.write(Buffer.alloc(100_000, 0xff))`,
  'announces a frame of 4 GB': `${PRELUDE}\nwire.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))`,
  'announces an empty frame': `${PRELUDE}\nwire.write(Buffer.alloc(4))`,
  'sends what is no JSON': `${PRELUDE}\nsend('{"t":')`,
  'sends a list': `${PRELUDE}\nsend([1])`,
  'sends a frame of an unknown type': `${PRELUDE}\nsend({ t: 'constructor' })`,
  'sends a frame whose type is inherited': `${PRELUDE}\nsend('{"__proto__": {"t": "pong"}}')`,
  'answers load with an unload': `${PRELUDE}\nonFrame((f) => send({ t: 'unloaded', error: null }))`,
  'declares 100,000 actions': `${PRELUDE}\nonFrame((f) => send({ ...loaded, actions: Array.from({ length: 100_000 }, (_, i) => ({ name: 'a' + i, input: null })) }))`,
  'declares a route that is none': `${PRELUDE}\nonFrame((f) => send({ ...loaded, declaredRoutes: [{ method: 'GET', path: '/', status: 99, params: null, query: null, body: null, response: null }] }))`,
  'declares 100,000 routes': `${PRELUDE}\nonFrame((f) => send({ ...loaded, declaredRoutes: Array.from({ length: 100_000 }, () => ({ method: 'GET', path: '/', status: 200, params: null, query: null, body: null, response: null })) }))`,
  'asks before it is told what to run': `${PRELUDE}\nsend({ t: 'done', id: 1, result: { kind: 'ok', result: {} } })`,
  'never answers load': `${PRELUDE}\nfor (;;);`,
}

const JOBS: Readonly<Record<string, string>> = {
  'answers another job': `send({ t: 'done', id: id + 1, result: { kind: 'ok', result: {} } })`,
  'answers twice': `send(${ok}, ${ok})`,
  'answers with a route': `send({ t: 'answer', id, status: 200, headers: [], body: null })`,
  'answers id 0': `send({ t: 'done', id: 0, result: { kind: 'ok', result: {} } })`,
  'answers a fraction': `send({ t: 'done', id: 1.5, result: { kind: 'ok', result: {} } })`,
  'answers with members of its own': `send({ t: 'done', id, plugin: 'other', result: { kind: 'ok', result: {} } })`,
  'answers that it was interrupted': `send({ t: 'done', id, result: { kind: 'interrupted', error: { code: 'x', message: '' }, delaySeconds: 0 } })`,
  'answers with a transaction': `send({ t: 'done', id, result: { kind: 'ok', result: {}, transaction: {} } })`,
  'answers with a status of 999': `send({ t: 'done', id, result: { kind: 'error', retryable: false, error: { code: 'x', message: '', statusCode: 999 } } })`,
  'answers with a message of 1 MB': `send({ t: 'done', id, result: { kind: 'threw', error: { code: 'x', message: 'x'.repeat(1e6) } } })`,
  'answers with negative seconds': `send({ t: 'done', id, result: { kind: 'threw', error: { code: 'x', message: '' }, retryAfterSeconds: -1 } })`,
  'pongs that nobody pinged': `send({ t: 'pong', id: 10_000 })`,
  'says hello again': `send(hello)`,
  'says loaded again': `send(loaded)`,
  'closes the wire': `wire.destroy()`,
  'nests 100,000 levels': `send('['.repeat(100_000) + ']'.repeat(100_000))`,
  'logs at a level that is none': `send({ t: 'log', for: null, level: 'silent', message: '', fields: {} })`,
  'calls with a text as id': `send({ t: 'call', id: 'x', for: id, op: 'emit', args: {} })`,
  'nests 100,000 levels in the details of an error': `send('{"t":"done","id":' + id + ',"result":{"kind":"threw","error":{"code":"x","message":"","details":' + '['.repeat(100_000) + ']'.repeat(100_000) + '}}}'); send({ t: 'done', id, result: {} })`,
  'hands over what nobody asked for': `send({ t: 'handed_over', state: null, error: null })`,
  'unloads itself': `send({ t: 'unloaded', error: null })`,
  'numbers an answer beyond what numbers hold': `send('{"t":"done","id":9007199254740993,"result":{"kind":"ok","result":{}}}')`,
  'counts with a number that is none': `send('{"t":"metric","kind":"increment","name":"a","value":1e999}')`,
  'names a metric that is too long': `send({ t: 'metric', kind: 'set', name: 'x'.repeat(200), value: 1 })`,
  'says who it is in a call': `send({ t: 'call', id: 1, for: id, plugin: 'other', op: 'emit', args: {} })`,
  'does not read, and asks': `wire.pause(); const big = { t: 'call', for: id, op: 'x'.repeat(60), args: {} }; let n = 0; const more = () => { for (let i = 0; i < 1000; i++) send({ ...big, id: ++n }); if (n < 2_000_000) setImmediate(more) }; more()`,
}

/** These end well: the host answers, and nobody is harmed. */
const REFUSED: Readonly<Record<string, { readonly code: string; readonly expect: string }>> = {
  'asks in the name of a job that is not its own': {
    code: `send({ t: 'call', id: 1, for: id + 7, op: 'emit', args: {} })`,
    expect: 'permission_denied',
  },
  'asks for an operation that is none': {
    code: `send({ t: 'call', id: 1, for: id, op: 'constructor', args: {} })`,
    expect: 'permission_denied',
  },
  'asks for __proto__': { code: `send({ t: 'call', id: 1, for: id, op: '__proto__', args: {} })`, expect: 'permission_denied' },
}

describe('the wire', () => {
  let ground: Ground
  let serial = 0
  before(async () => (ground = await makeGround()))
  after(async () => {
    await ground[Symbol.asyncDispose]()
    assert.equal(live.size, 0)
  })

  async function start(code: string): Promise<SandboxProcess> {
    const folder = join(ground.folder, `evil-${++serial}`)
    await mkdir(folder, { mode: 0o755 })
    const program = join(folder, 'main.mjs')
    await writeFile(program, code, { mode: 0o644 })
    const { process } = await SandboxProcess.start({
      plan: { ...ground.plan('uid'), ...ground.plan(globalThis.process.getuid?.() === 0 ? 'uid' : 'permission'), program, bundle: program },
      bootMs: 2_500,
      logger: pino({ level: 'silent' }),
      stacks: stackMap({ bundle: program, program, map: null }),
      onCall: async (_work, frame) => {
        throw new XCoreError('permission_denied', `no ${frame.op}`)
      },
      onMetric: () => {},
      init: {
        declareOnly: false,
        plugin: 'evil',
        version: '1.0.0',
        bundle: 'file:///nothing',
        entryPoint: 'src/main.ts',
        env: {},
        config: {},
        maxAttempts: 1,
        deadlines: { load: 200, unload: 100, reload: 100, hook: 100 },
        services: [],
        previousState: null,
        permissions: null,
        level: 'info',
      },
    })
    return process
  }
  const job = {
    id: 'j',
    kind: 'action' as const,
    name: 'a',
    payload: {},
    attempt: 1,
    maxAttempts: 1,
    priority: 50,
    correlationId: 'c',
    replayOf: null,
    idempotencyKey: null,
    method: null,
    event: null,
    depth: 0,
  }
  const run = (process: SandboxProcess) =>
    process.run(
      { job, deadline: Date.now() + 5_000 },
      () => pino({ level: 'silent' }),
      () => {},
    )

  /** The longest time, in milliseconds, for which the host did not come to anything else while the process had work. */
  async function longestHold(process: SandboxProcess): Promise<number> {
    let longest = 0
    for (let last = performance.now(); process.busy > 0; last = performance.now()) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      longest = Math.max(longest, performance.now() - last)
    }
    return longest
  }

  for (const [what, code] of Object.entries(BOOT)) {
    test(`a program that ${what}`, async () => {
      await assert.rejects(start(code), (thrown) => thrown instanceof XCoreError && thrown.code === 'sandbox_boot_failed')
    })
  }
  for (const [what, code] of Object.entries(JOBS)) {
    test(`a program that ${what}`, async () => {
      const process = await start(atJob(code))
      const ended: Promise<SandboxEnd> = process.ended
      await run(process)
      const { reason } = await ended
      assert.match(reason, /sandbox_protocol_error|sandbox_crashed|memory_exceeded/)
    })
  }
  for (const [what, { code, expect }] of Object.entries(REFUSED)) {
    test(`a program that ${what}`, async () => {
      const answer = `onFrame((r) => { if (r.t === 'reply') send({ t: 'done', id, result: { kind: 'ok', result: { code: r.error?.code ?? 'none' } } }) })`
      const process = await start(atJob(`${answer}; ${code}`))
      const result = await run(process)
      assert.equal(result.kind === 'ok' && result.result['code'], expect)
      process.end('unloaded', 'the test is over')
      await process.ended
    })
  }

  test('a frame that comes byte by byte takes its length in memory, and not the turns of the host', async () => {
    const drip = `const text = Buffer.from(JSON.stringify(${ok})); const head = Buffer.alloc(4); head.writeUInt32LE(9e5); wire.write(head)
      let n = 0; const more = () => { for (let i = 0; i < 50; i++) wire.write(Buffer.alloc(1, 32)); n += 50; if (n < 60_000) setImmediate(more); else { const rest = 9e5 - n; wire.write(Buffer.concat([Buffer.alloc(rest - text.length, 32), text])) } }; more()`
    // Nothing else may come between: pings are not answered.
    const process = await start(atJob(drip).replace("if (f.t === 'ping')", 'if (false)'))
    const [result, hold] = await Promise.all([run(process), longestHold(process)])
    assert.deepEqual(result, { kind: 'ok', result: { status: 'ok' } })
    assert.ok(hold < 1_000, `the host was held for ${hold} ms`)
    process.end('unloaded', 'the test is over')
    await process.ended
  })

  test('floods of what is allowed leave the host its turns: pongs, log lines, numbers, calls in the name of nothing', async () => {
    for (const each of [
      `{ t: 'pong', id: 1 }`,
      `{ t: 'log', for: null, level: 'info', message: 'x', fields: {} }`,
      `{ t: 'metric', kind: 'increment', name: 'a', value: 1 }`,
      `{ t: 'call', id: 1, for: 99999, op: 'emit', args: {} }`,
    ]) {
      const process = await start(
        atJob(
          `wire.on('data', () => {}); let n = 0; const more = () => { for (let i = 0; i < 500; i++) send(${each}); if ((n += 500) < 60_000) setImmediate(more); else send(${ok}) }; more()`,
        ),
      )
      const [result, hold] = await Promise.all([run(process), longestHold(process)])
      assert.ok(result.kind === 'ok' || result.kind === 'lost', each)
      assert.ok(hold < 1_000, `${each}: the host was held for ${hold} ms`)
      process.end('unloaded', 'the test is over')
      await process.ended
    }
  })

  test('keys named __proto__ in a result end as invalid_result', async () => {
    const process = await start(
      atJob(`send('{"t":"done","id":' + id + ',"result":{"kind":"ok","result":{"a":{"__proto__":{"polluted":1}}}}}')`),
    )
    const result = await run(process)
    assert.equal(result.kind === 'error' && result.error.code, 'invalid_result')
    assert.equal(Reflect.get({}, 'polluted'), undefined)
    process.end('unloaded', 'the test is over')
    await process.ended
  })

  test('a result of more than 1 MiB ends as invalid_result', async () => {
    const process = await start(atJob(`send({ t: 'done', id, result: { kind: 'ok', result: { big: 'x'.repeat(3e6) } } })`))
    const result = await run(process)
    assert.equal(result.kind === 'error' && result.error.code, 'invalid_result')
    process.end('unloaded', 'the test is over')
    await process.ended
  })
})
