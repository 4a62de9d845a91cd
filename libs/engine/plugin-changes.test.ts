import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PluginChanges } from './plugin-changes.ts'
import type { PluginDirectory } from './plugin-port.ts'
import { done, testPlugins, threw, type TestPlugin } from './testing/plugins.ts'
import { testEngine } from './testing/running.ts'

/** A directory whose plugins come and go. */
class Coming implements PluginDirectory, PluginChanges {
  #directory = testPlugins({})
  readonly paused = new Set<string>()
  readonly #listeners = new Set<(plugin: string) => void | Promise<void>>()

  find = (name: string) => this.#directory.find(name)
  runnable = () => this.#directory.runnable()
  refusal = (name: string) => this.#directory.refusal(name)
  isPaused = (name: string) => this.paused.has(name)
  onChange(listener: (plugin: string) => void | Promise<void>) {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async become(plugins: Readonly<Record<string, TestPlugin>>, changed: string): Promise<void> {
    this.#directory = testPlugins(plugins)
    await Promise.all([...this.#listeners].map(async (listener) => listener(changed)))
  }
}

const submit = (plugin: string) => ({ plugin, action: 'work', payload: {}, source: 'cli' as const })

test('consumers follow plugins that come, pause, go on and go', async () => {
  const plugins = new Coming()
  await using running = await testEngine(plugins, { changes: plugins, unloadSeconds: 0.05 })
  const { engine } = running
  const late: Readonly<Record<string, TestPlugin>> = { late: { handlers: { work: () => done() } } }
  await plugins.become(late, 'late')
  assert.deepEqual(running.consumers.plugins(), ['late'])
  const first = await engine.submit(submit('late'))
  assert.equal((await engine.wait(first.jobId, 10_000))?.state, 'succeeded')

  plugins.paused.add('late')
  await plugins.become(late, 'late')
  const waiting = await engine.submit(submit('late'))
  assert.equal((await engine.wait(waiting.jobId, 300))?.state, 'queued')
  plugins.paused.delete('late')
  await plugins.become(late, 'late')
  assert.equal((await engine.wait(waiting.jobId, 10_000))?.state, 'succeeded')

  // What still runs when a plugin goes is handed back, and runs when it is here again.
  const started = Promise.withResolvers<void>()
  const hanging: TestPlugin = {
    handlers: {
      work: () => {
        started.resolve()
        return new Promise(() => {})
      },
    },
  }
  await plugins.become({ late: hanging }, 'late')
  const held = await engine.submit(submit('late'))
  await started.promise
  await plugins.become({}, 'late')
  assert.deepEqual(running.consumers.plugins(), [])
  assert.equal(running.consumers.busy(), 0)
  await plugins.become(late, 'late')
  const job = await engine.wait(held.jobId, 10_000)
  assert.deepEqual([job?.state, job?.attempt], ['succeeded', 1])
})

test('job.dead is emitted when somebody subscribes, and never for a dead delivery of itself', async () => {
  const heard: unknown[] = []
  const plugins = testPlugins({
    worker: { handlers: { work: () => threw('no'), fine: () => done() } },
    watcher: {
      handlers: {
        deaths: ({ job }) => {
          heard.push(job.payload)
          return threw('I fail too')
        },
      },
    },
  })
  await using running = await testEngine(plugins)
  const { engine, database } = running
  const unheard = await engine.submit(submit('worker'))
  assert.equal((await engine.wait(unheard.jobId, 20_000))?.state, 'dead')
  const watcher = plugins.find('watcher')
  assert.ok(watcher)
  await engine.subscriptions.replace(watcher.name, '1.0.0', [
    { plugin: watcher.name, id: 'deaths', pattern: '*', priority: 50, once: false, maxAttempts: 1 },
  ])
  const dead = await engine.submit(submit('worker'))
  assert.equal((await engine.wait(dead.jobId, 20_000))?.state, 'dead')
  const delivery = async () =>
    (await engine.list({ plugin: 'watcher' })).jobs.map(({ state, causationId, correlationId, meta }) => ({
      state,
      causationId,
      correlationId,
      source: meta.event?.source,
    }))
  while ((await delivery())[0]?.state !== 'dead') await new Promise(setImmediate)
  const [{ correlationId, source } = { correlationId: '', source: '' }] = await delivery()
  assert.deepEqual([correlationId, source], [dead.jobId, 'xcore://kernel'])
  assert.deepEqual(heard, [
    {
      job_id: dead.jobId,
      plugin: 'worker',
      kind: 'action',
      name: 'work',
      attempt: 3,
      error: { code: 'handler_error', message: 'no' },
    },
  ])
  // Anything after it is committed later: were there an event of the dead delivery, it would be there by now.
  const after = await engine.submit({ ...submit('worker'), action: 'fine' })
  await engine.wait(after.jobId, 10_000)
  await engine.close()
  const [count] = await database.run<{ events: number }>(`select count(*)::int as events from xcore.event_log where type = 'event.emitted'`)
  assert.equal(count?.events, 1)
})
