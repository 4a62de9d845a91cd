import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pluginName } from '../event-log/index.ts'
import type { Json } from '../event-log/index.ts'
import type { Engine, SubmitRequest } from './port.ts'
import type { Invocation } from './plugin-port.ts'
import { done, failed, testPlugins } from './testing/plugins.ts'
import type { TestHandler } from './testing/plugins.ts'
import { testEngine } from './testing/running.ts'

/** A handler that waits for another action as callPlugin does. */
function calling(engine: () => Engine, plugin: string, action: string, payload: (own: Json) => Json = (own) => own): TestHandler {
  return async (invocation: Invocation) => {
    const { job, signal, whileWaiting = (_on, work) => work() } = invocation
    const request: SubmitRequest = {
      plugin,
      action,
      payload: payload(job.payload),
      source: 'plugin',
      awaited: true,
      depth: (job.meta.depth ?? 0) + 1,
      calls: [...(job.meta.calls ?? []), `${job.plugin}/${job.name}`],
      priorityFloor: Math.min(100, job.priority + 1),
      caller: job.plugin,
    }
    try {
      const { jobId } = await engine().submit(request)
      const answer = await whileWaiting(plugin, () => engine().wait(jobId, 30_000, signal))
      return answer?.state === 'succeeded' ? done({ answer: answer.result ?? {} }) : failed(answer?.error?.code ?? 'none')
    } catch (thrown) {
      return failed(String(Reflect.get(Object(thrown), 'code')), { details: String(thrown) })
    }
  }
}

const submitAll = (engine: Engine, plugin: string, action: string, count: number) =>
  Promise.all(Array.from({ length: count }, (_, n) => engine.submit({ plugin, action, payload: { n }, source: 'http' })))

describe('calls do not deadlock', () => {
  test('every slot of a group waits for its own group', async () => {
    const made: { engine?: Engine } = {}
    const engine = () => made.engine ?? assert.fail()
    const plugins = testPlugins({
      a: { handlers: { x: calling(engine, 'b', 'y') } },
      b: { handlers: { y: calling(engine, 'c', 'z') } },
      c: { handlers: { z: () => done({ z: 1 }) } },
    })
    await using t = await testEngine(plugins, { groups: [{ name: 'all', plugins: ['*'], concurrency: 2 }] })
    made.engine = t.engine
    for (const { jobId } of await submitAll(t.engine, 'a', 'x', 20)) {
      const job = await t.engine.wait(jobId, 20_000)
      assert.deepEqual(job?.result, { status: 'ok', answer: { status: 'ok', answer: { status: 'ok', z: 1 } } })
    }
  })

  test('a plugin that runs one job at a time calls itself, at once and through another', async () => {
    const made: { engine?: Engine } = {}
    const engine = () => made.engine ?? assert.fail()
    let running = 0
    const alone: TestHandler = async () => {
      assert.equal(++running, 1)
      await new Promise(setImmediate)
      running--
      return done()
    }
    const plugins = testPlugins({
      a: {
        limits: { concurrency: 1 },
        handlers: { direct: calling(engine, 'a', 'leaf'), round: calling(engine, 'b', 'back'), leaf: alone },
      },
      b: { limits: { concurrency: 1 }, handlers: { back: calling(engine, 'a', 'leaf') } },
    })
    await using t = await testEngine(plugins, { groups: [{ name: 'all', plugins: ['*'], concurrency: 1 }] })
    made.engine = t.engine
    const started = Date.now()
    const jobs = [...(await submitAll(t.engine, 'a', 'direct', 15)), ...(await submitAll(t.engine, 'a', 'round', 15))]
    for (const { jobId } of jobs) assert.equal((await t.engine.wait(jobId, 20_000))?.state, 'succeeded')
    assert.ok(Date.now() - started < 9_000, 'well below the 10 s after which a job that waits in vain is given up')
  })

  test('workers apart: each waits for the other, and one more is let in', async () => {
    const made: { engine?: Engine } = {}
    const engine = () => made.engine ?? assert.fail()
    const plugins = testPlugins({
      a: { limits: { concurrency: 2 }, handlers: { x: calling(engine, 'b', 'y'), z: () => done() } },
      b: { limits: { concurrency: 2 }, handlers: { y: calling(engine, 'a', 'z') } },
    })
    await using one = await testEngine(plugins, { groups: [{ name: 'a', plugins: ['a'], concurrency: 2 }] })
    await using two = await testEngine(plugins, { url: one.url, groups: [{ name: 'b', plugins: ['b'], concurrency: 2 }] })
    made.engine = two.engine
    for (const { jobId } of await submitAll(one.engine, 'a', 'x', 6)) {
      assert.equal((await one.engine.wait(jobId, 20_000))?.state, 'succeeded')
    }
  })

  test('a burst of callers does not pour into a slow callee', async () => {
    const made: { engine?: Engine } = {}
    const engine = () => made.engine ?? assert.fail()
    let inside = 0
    let most = 0
    const plugins = testPlugins({
      a: {
        limits: { concurrency: 3 },
        handlers: {
          x: async (invocation) => {
            most = Math.max(most, ++inside)
            const result = await calling(engine, 'b', 'y')(invocation)
            inside--
            return result
          },
        },
      },
      b: { limits: { concurrency: 1 }, handlers: { y: async () => (await new Promise((resolve) => setTimeout(resolve, 10)), done()) } },
    })
    await using t = await testEngine(plugins)
    made.engine = t.engine
    for (const { jobId } of await submitAll(t.engine, 'a', 'x', 30)) assert.equal((await t.engine.wait(jobId, 20_000))?.state, 'succeeded')
    assert.ok(most <= 3, `${most} callers at once`)
  })
})

describe('calls that are refused', () => {
  test('an action that would wait for itself, whoever lies between', async () => {
    const made: { engine?: Engine } = {}
    const engine = () => made.engine ?? assert.fail()
    const plugins = testPlugins({
      a: { handlers: { x: calling(engine, 'b', 'y'), self: calling(engine, 'a', 'self') } },
      b: { handlers: { y: calling(engine, 'a', 'x') } },
    })
    await using t = await testEngine(plugins)
    made.engine = t.engine
    for (const [action, chain] of [
      ['x', 'a/x → b/y → a/x'],
      ['self', 'a/self → a/self'],
    ] as const) {
      const { jobId } = await t.engine.submit({ plugin: 'a', action, payload: {}, source: 'http' })
      const outer = await t.engine.wait(jobId, 20_000)
      assert.equal(outer?.error?.code, 'loop_detected')
      const { jobs } = await t.engine.list({ correlationId: jobId })
      const errors = jobs.map((job) => String(job.error?.details ?? ''))
      assert.ok(action === 'x' || errors.some((text) => text.includes(`${chain} would wait for itself`)), errors.join('\n'))
    }
    await assert.rejects(t.engine.submit({ plugin: 'a', action: 'x', payload: {}, source: 'plugin', calls: ['a/x', 'b/y'] }), {
      code: 'loop_detected',
      message: /a\/x → b\/y → a\/x would wait for itself\. Use enqueue or an event/,
    })
  })

  test('a caller that is not among allowed_callers; the plugin itself and outside callers are', async () => {
    const plugins = testPlugins({ a: { handlers: { x: () => done() }, admits: (caller) => caller.startsWith('shop') } })
    await using t = await testEngine(plugins)
    const submit = (caller?: string) =>
      t.engine.submit({
        plugin: 'a',
        action: 'x',
        payload: {},
        source: 'plugin',
        ...(caller === undefined ? {} : { caller: pluginName(caller) }),
      })
    await assert.rejects(submit('mail'), {
      code: 'permission_denied',
      message: /"a" does not let "mail" call it: expected one of its allowed_callers/,
    })
    for (const caller of ['shop', 'shop-eu', 'a', undefined]) await submit(caller)
  })

  test('who is waited for comes first: its priority is above that of who waits', async () => {
    const plugins = testPlugins({ a: { handlers: { x: () => done() }, settings: { priority: 20 } } })
    await using t = await testEngine(plugins, { consume: false })
    const priority = async (extra: Partial<SubmitRequest>) => {
      const { jobId } = await t.engine.submit({ plugin: 'a', action: 'x', payload: {}, source: 'plugin', ...extra })
      return (await t.engine.get(jobId))?.priority
    }
    assert.deepEqual(
      [
        await priority({}),
        await priority({ priorityFloor: 10 }),
        await priority({ priorityFloor: 71 }),
        await priority({ priority: 90, priorityFloor: 71 }),
      ],
      [20, 20, 71, 90],
    )
  })
})
