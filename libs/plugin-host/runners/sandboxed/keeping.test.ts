import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostWith, pluginClass } from '../../testing/plugin-folder.ts'
import type { TestHost } from '../../testing/plugin-folder.ts'
import { live } from './host/launch.ts'
import { CRASHES_IN_A_ROW } from './host/supervision.ts'

const FILES = (more: string) => ({
  warm: {
    'plugin.yaml': `name: warm\nversion: 1.0.0\nexecution_mode: sandboxed\npermissions: [{resource: "events:warm.*"}]\n${more}`,
    'src/main.ts': pluginClass(`
      override async onLoad() { await this.ctx.events.emit('warm.up', {}) }
      override async handle(name: string, { times }: { times?: number }) {
        if (name === 'exit') process.exit(1)
        if (name === 'spin') for (;;) {}
        for (let n = 0; n < (times ?? 0); n += 1) await this.ctx.events.emit('warm.done', { n })
        return ok()
      }`),
  },
})

const starts = (t: TestHost, times: number) => t.platform.heard('warm.up', times)
const restarts = (t: TestHost) => t.host.status('warm')?.sandbox?.restarts

test('a prewarmed sandbox is there again before a job asks: after a crash, and when it was replaced', async () => {
  await using t = await hostWith(FILES('sandbox: {prewarm: true, max_jobs: 2}\n'))
  await starts(t, 1)
  assert.equal((await t.run('warm', 'exit')).kind, 'threw')
  await starts(t, 2)
  assert.equal((await t.run('warm', 'ping')).kind, 'ok')
  assert.equal(restarts(t), 1)
  // The second job is its last one.
  assert.equal((await t.run('warm', 'ping')).kind, 'ok')
  await starts(t, 3)
  assert.equal(restarts(t), 2)
})

test('it backs off between crashes, rests while suspended, and starts when it is resumed', async () => {
  await using t = await hostWith(FILES('sandbox: {prewarm: true}\n'))
  await starts(t, 1)
  for (let crashes = 1; crashes < CRASHES_IN_A_ROW; crashes += 1) {
    assert.equal((await t.run('warm', 'exit')).kind, 'threw')
    await starts(t, crashes + 1)
  }
  assert.equal((await t.run('warm', 'exit')).kind, 'threw')
  const status = t.host.status('warm')?.sandbox
  assert.deepEqual([status?.circuit, status?.failures], ['open', CRASHES_IN_A_ROW])
  assert.equal(live.size, 0)
  await t.host.pause('warm', false)
  await starts(t, CRASHES_IN_A_ROW + 1)
})

test('jobs that never end pay for it themselves: the sandbox starts again at once each time, and is not suspended', async () => {
  await using t = await hostWith(FILES('sandbox: {prewarm: true}\n'))
  for (let turn = 1; turn <= CRASHES_IN_A_ROW + 1; turn += 1) {
    await starts(t, turn)
    const timeUp = new AbortController()
    setTimeout(() => timeUp.abort(new DOMException('time is up', 'TimeoutError')), 250)
    const spun = await t.run('warm', 'spin', {}, {}, { signal: timeUp.signal })
    assert.equal(spun.kind === 'threw' && spun.error.code, 'timeout')
  }
  await starts(t, CRASHES_IN_A_ROW + 2)
  assert.equal(t.host.status('warm')?.sandbox?.circuit, 'closed')
  assert.equal((await t.run('warm', 'ping')).kind, 'ok')
})

test('a sandbox that is not prewarmed waits for a job', async () => {
  await using t = await hostWith(FILES('sandbox: {max_jobs: 1}\n'))
  await starts(t, 1)
  assert.equal((await t.run('warm', 'ping')).kind, 'ok')
  assert.equal((await t.run('warm', 'ping')).kind, 'ok')
  assert.equal(t.platform.emitted.filter(({ name }) => name === 'warm.up').length, 2)
})

test('service_rate_limit: what a plugin asks beyond it is refused with the time to wait; its jobs and other plugins go on', async () => {
  await using t = await hostWith({
    ...FILES('resources: {service_rate_limit: {calls: 4, period_seconds: 3600}}\n'),
    other: pluginClass('override handle() { return ok() }'),
  })
  // One was used by onLoad.
  assert.equal((await t.run('warm', 'ask', { times: 3 })).kind, 'ok')
  const refused = await t.run('warm', 'ask', { times: 1 })
  assert.ok(refused.kind === 'threw')
  assert.equal(refused.error.code, 'rate_limit_exceeded')
  assert.match(refused.error.message, /^emit: plugin warm may ask its host for something 4 times in 3600 s.*service_rate_limit/)
  assert.equal((await t.run('warm', 'ask', { times: 0 })).kind, 'ok')
  assert.equal((await t.run('other', 'ping')).kind, 'ok')
})

test('no process is left', () => assert.equal(live.size, 0))
