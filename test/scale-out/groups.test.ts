import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NEEDS_REDIS } from '../../libs/queue/bullmq/testing/redis-server.ts'
import { runCli, startCli } from '../cli-process.ts'
import { PROBE, call, ground, until } from './setup.ts'

const SECOND = {
  'plugins/second/plugin.yaml': 'name: second\nversion: 1.0.0\n',
  'plugins/second/src/main.ts': `
import { TrustedBase, action, ok } from '@xcore/sdk'
export default class Second extends TrustedBase {
  override actions = { ping: action({ handler: async () => ok({ pid: process.pid }) }) }
}
`,
}

describe('many workers', NEEDS_REDIS, () => {
  test('groups: each plugin’s jobs run only where it is served; one that nobody serves is reported', async () => {
    await using at = await ground({
      files: {
        ...SECOND,
        'xcore.yaml':
          'worker:\n  groups:\n    one: {plugins: [pro*], concurrency: 3}\n    two: {plugins: [sec*]}\n    three: {plugins: [other]}\n',
      },
    })
    const api = await at.api()
    const first = await at.worker({}, ['--group', 'one'])
    const readiness = async () => JSON.stringify(await (await fetch(`${api.url}/readyz?verbose`)).json())
    await until('told of the plugin without a worker', async () => /no worker runs the jobs of second/.test(await readiness()))
    const metrics = async (url: string) => (await fetch(`${url}/metrics`)).text()
    await until('the metric of the leader', async () =>
      /^xcore_plugins_unserved\{plugin="second"\} 1$/m.test((await metrics(api.url)) + (await metrics(first.url))),
    )
    assert.equal((await call(api.url, 'ping', { plugin: 'second', wait: 1 })).status, 202)
    const second = await at.worker({}, ['--group', 'two'])
    for (let n = 0; n < 5; n++) {
      assert.equal(Object((await call(api.url, 'ping', { wait: 20 })).body['result']).pid, first.child.pid)
      assert.equal(Object((await call(api.url, 'ping', { plugin: 'second', wait: 20 })).body['result']).pid, second.child.pid)
    }
    await until('all are served', async () => !/no worker runs/.test(await readiness()))
    await at.folder.write({ 'xcore.yaml': 'worker:\n  groups:\n    one: {plugins: [pro*]}\n' })
    const doctor = await runCli(['doctor'], { cwd: at.folder.path, env: at.env })
    assert.match(doctor.stdout, /worker groups: no group of worker\.groups takes second/)
    assert.match(doctor.stdout, /queue: bullmq on Redis \d/)
  })

  test('versions side by side: a job goes to a worker that has its action, and the history names the version', async () => {
    await using at = await ground()
    const newer = PROBE['plugins/probe/src/main.ts'].replace(
      'override actions = {',
      'override actions = {\n    added: action({ handler: async () => ok({ pid: process.pid }) }),',
    )
    await at.folder.write({
      'new/probe/plugin.yaml': PROBE['plugins/probe/plugin.yaml'].replace('1.0.0', '2.0.0'),
      'new/probe/src/main.ts': newer,
    })
    const upgraded = { XCORE_PLUGINS_DIR: `${at.folder.path}/new` }
    const api = await at.api(upgraded)
    await at.worker()
    await at.worker()
    const worker = await at.worker(upgraded)
    for (let n = 0; n < 10; n++) {
      const { status, body } = await call(api.url, 'added', { wait: 30 })
      assert.equal(status, 200, JSON.stringify(body))
      assert.equal(Object(body['result']).pid, worker.child.pid)
      const job = Object(await (await fetch(`${api.url}/jobs/${String(body['job_id'])}`)).json())
      assert.deepEqual([job.plugin_version, job.attempt], ['2.0.0', 1])
    }
  })

  test('a rolling restart under load fails no call', async () => {
    await using at = await ground()
    const api = await at.api()
    let workers = [await at.worker(), await at.worker()]
    let stop = false
    let calls = 0
    const callers = Array.from({ length: 8 }, async () => {
      while (!stop) {
        const { status, body } = await call(api.url, 'work', { wait: 50, payload: { ms: 30 } })
        assert.equal(status, 200, JSON.stringify(body))
        calls++
      }
    })
    await until('calls are answered', async () => calls > 20)
    for (const old of workers) {
      const started = await startCli(['worker'], { cwd: at.folder.path, env: at.env })
      workers = [...workers, started]
      old.child.kill('SIGTERM')
      assert.equal(await old.ended, 0)
      const before = calls
      await until('it goes on', async () => calls > before + 20)
    }
    stop = true
    await Promise.all(callers)
    for (const worker of workers) await worker[Symbol.asyncDispose]()
    const failed = await at.database.run(
      `select 1 from xcore.event_log where type in ('job.attempt_lost', 'job.attempt_failed', 'job.failed')`,
    )
    assert.equal(failed.length, 0)
  })
})
