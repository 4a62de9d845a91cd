import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { testDatabase } from '../libs/postgres/testing/index.ts'
import { runCli, spawnCli, startCli, testFolder } from './cli-process.ts'
import type { RunningCli, TestFolder } from './cli-process.ts'

const PLUGIN = `
import { TrustedBase, action, ok } from '@xcore/sdk'

export default class Probe extends TrustedBase {
  override actions = {
    ping: action({ handler: async () => ok({ message: 'pong', pid: process.pid }) }),
    fail: action({ handler: async () => ({ status: 'error', msg: 'no', code: 'refused' }) }),
    stray_rejection: action({ handler: async () => { void Promise.reject(new Error('stray rejection')); return ok() } }),
    stray_throw: action({ handler: async () => { setTimeout(() => { throw new Error('stray throw') }, 1); return ok() } }),
    hang: action({ handler: async (_payload, job) => {
      job.logger.info('hanging')
      await new Promise((resolve) => setTimeout(resolve, 300_000))
      return ok()
    } }),
    hold: action({ handler: async (_payload, job) => {
      job.logger.info({ pid: process.pid }, 'holding')
      if (job.attempt === 1 && process.env.XCORE_TEST_HOLD === 'yes') await new Promise((resolve) => setTimeout(resolve, 300_000))
      return ok({ pid: process.pid })
    } }),
  }
}
`
const FILES = {
  'plugins/probe/plugin.yaml': 'name: probe\nversion: 1.2.3\nresources:\n  timeout_seconds: 600\n',
  'plugins/probe/src/main.ts': PLUGIN,
  'plugins/bad/plugin.yaml': 'name: bad\nversion: one\n',
}
const ANY_PORT = { XCORE_HTTP_PORT: '0', XCORE_WORKER_METRICS_PORT: '0' }

async function probeFolder(): Promise<TestFolder> {
  const folder = await testFolder()
  await folder.write(FILES)
  return folder
}

const start = (folder: TestFolder, env: Record<string, string> = {}) =>
  startCli(['start'], { cwd: folder.path, env: { ...ANY_PORT, ...env } })

async function call(service: RunningCli, action: string, waitSeconds?: number): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${service.url}/ipc/probe/${action}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(waitSeconds === undefined ? {} : { prefer: `wait=${waitSeconds}` }) },
    body: '{"payload": {}}',
  })
  return { status: response.status, body: Object(await response.json()) }
}

async function stop(service: RunningCli): Promise<void> {
  service.child.kill('SIGTERM')
  assert.equal(await service.ended, 0)
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('start brings its own Postgres, tells URL, plugins and a command to try, and starts again on the same folder', async () => {
  await using folder = await probeFolder()
  let jobId: unknown
  {
    await using service = await start(folder)
    const first = JSON.parse(service.lines[0] ?? '')
    assert.equal(first.url, service.url)
    await service.line((line) => /^bad +- +failed$/.test(line))
    await service.line((line) => /^probe +1\.2\.3 +ready$/.test(line))
    const curl = await service.line((line) => line.includes('curl -s'))
    assert.ok(curl.includes(`${service.url}/ipc/probe/ping`))
    const { status, body } = await call(service, 'ping', 10)
    assert.equal(status, 200)
    assert.deepEqual(body['result'], { status: 'ok', message: 'pong', pid: service.child.pid })
    jobId = body['job_id']
    await stop(service)
    assert.ok(!existsSync(join(folder.path, '.xcore/postgres/cluster/postmaster.pid')), 'the database server is still there')
  }
  await using again = await start(folder)
  const response = await fetch(`${again.url}/jobs/${String(jobId)}`)
  assert.equal(Object(await response.json()).state, 'succeeded')
  await stop(again)
})

test('after kill -9 of the process the same folder starts again, with the job that was under way', async () => {
  await using folder = await probeFolder()
  let jobId: unknown
  {
    await using service = await start(folder, { XCORE_TEST_HOLD: 'yes' })
    jobId = (await call(service, 'hold')).body['job_id']
    await service.line((line) => line.includes('holding'))
    service.child.kill('SIGKILL')
    assert.equal(await service.ended, 'SIGKILL')
  }
  await using again = await start(folder)
  const response = await fetch(`${again.url}/jobs/${String(jobId)}`)
  assert.ok(['queued', 'active', 'retrying', 'succeeded'].includes(Object(await response.json()).state))
  await stop(again)
})

test('the client commands talk to a running XCore', async () => {
  await using folder = await probeFolder()
  await using service = await start(folder)
  const xcore = (...args: string[]) => runCli(args, { cwd: folder.path, env: { XCORE_URL: service.url } })

  const called = await xcore('call', 'probe', 'ping', '{}', '--wait', '10', '--json')
  assert.equal(called.code, 0, called.stderr)
  const { job_id: jobId, result } = JSON.parse(called.stdout)
  assert.equal(result.message, 'pong')
  assert.match((await xcore('call', 'probe', 'ping', '--wait', '{"any": 1}')).stdout, /"message": "pong"/)
  const failed = await xcore('call', 'probe', 'fail', '--wait')
  assert.equal(failed.code, 1)
  assert.match(failed.stdout, /"code": "refused"/)
  const unknown = await xcore('call', 'probe', 'nope')
  assert.equal(unknown.code, 1)
  assert.match(unknown.stderr, /unknown_action/)
  assert.match((await xcore('call', 'probe', 'ping', '--delay', '600')).stdout, /^queued [0-9a-f-]{36}$/m)

  const emitted = await xcore('emit', 'user.created', '{"id": 1}', '--json')
  assert.equal(emitted.code, 0, emitted.stderr)
  assert.deepEqual(JSON.parse(emitted.stdout).jobs, [])

  const list = JSON.parse((await xcore('jobs', 'list', '--json')).stdout)
  assert.equal(list.jobs.length, 4)
  const waiting = list.jobs.find((job: { state: string }) => job.state === 'scheduled')
  assert.match((await xcore('jobs', 'cancel', waiting.job_id)).stdout, /^cancelled /)
  assert.equal((await xcore('jobs', 'cancel', jobId)).code, 1)
  const shown = await xcore('jobs', 'show', jobId)
  assert.match(shown.stdout, /^state +succeeded$/m)
  assert.match(shown.stdout, /job\.requested[^]*job\.succeeded/)
  assert.equal((await xcore('jobs', 'show', 'nope')).code, 1)

  const status = JSON.parse((await xcore('status', '--json')).stdout)
  assert.equal(status.ready, true)
  assert.deepEqual(
    status.plugins.map((plugin: { name: string; state: string }) => `${plugin.name} ${plugin.state}`),
    ['bad failed', 'probe ready'],
  )
  assert.match((await xcore('status')).stdout, /is ready/)
  assert.match((await xcore('plugin', 'list')).stdout, /bad: manifest_invalid: .*plugin\.yaml:2/)
  await stop(service)
})

test('a forgotten rejection or a throw in a timer of a plugin is logged with a hint, and the process goes on', async () => {
  await using folder = await probeFolder()
  await using service = await start(folder)
  for (const action of ['stray_rejection', 'stray_throw']) {
    await call(service, action)
    const line = JSON.parse(await service.line((each) => each.includes(action.replace('_', ' '))))
    assert.equal(line.level, 'error')
    assert.equal(line.plugin, 'probe')
    assert.match(line.msg, /The process goes on/)
  }
  assert.equal((await call(service, 'ping', 10)).status, 200)
  await stop(service)
})

test('a signal during the start ends it with 0, and what it had opened is closed', async () => {
  await using folder = await probeFolder()
  await folder.write({
    'plugins/waits/plugin.yaml': 'name: waits\nversion: 1.0.0\n',
    'plugins/waits/src/main.ts': `
import { TrustedBase } from '@xcore/sdk'
export default class Waits extends TrustedBase {
  override async onLoad() {
    process.stderr.write('loading\\n')
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  }
}
`,
  })
  const child = spawnCli(['start'], { cwd: folder.path, env: ANY_PORT })
  const ended = new Promise((resolve) => child.once('close', resolve))
  await new Promise((resolve) => child.stderr.once('data', resolve))
  child.kill('SIGTERM')
  const [stdout, code] = await Promise.all([text(child.stdout), ended])
  assert.equal(code, 0)
  assert.match(stdout, /Stopping on SIGTERM/)
  assert.doesNotMatch(stdout, /Listening/)
  assert.ok(!existsSync(join(folder.path, '.xcore/postgres/cluster/postmaster.pid')))
})

test('when nobody reads the log any more the process stops, and does not talk to itself', async () => {
  await using folder = await probeFolder()
  await using service = await start(folder)
  service.child.stdout?.destroy()
  // Makes a line to write, should all those of the start have been read.
  await call(service, 'stray_rejection').catch(() => {})
  assert.equal(await service.ended, 1)
})

test('a second signal ends the process at once with 1, and leaves no database server behind', async () => {
  await using folder = await probeFolder()
  await using service = await start(folder)
  await call(service, 'hang')
  await service.line((line) => line.includes('hanging'))
  service.child.kill('SIGTERM')
  await service.line((line) => line.includes('Stopping on SIGTERM'))
  service.child.kill('SIGINT')
  assert.equal(await service.ended, 1)
  // The folder is free for the next one.
  await using again = await start(folder)
  await stop(again)
})

test('a start that fails says why, ends with 2 for a wrong setting, and gives back what it opened', async () => {
  await using folder = await probeFolder()
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const port = String(Object(taken.address()).port)
  const result = await runCli(['start'], { cwd: folder.path, env: { XCORE_HTTP_PORT: port } })
  await new Promise((resolve) => taken.close(resolve))
  assert.equal(result.code, 2)
  assert.match(result.stderr, new RegExp(`127\\.0\\.0\\.1:${port}`))
  await using service = await start(folder)
  await stop(service)
})

test('two on one data folder: the second is told who has it; commands share the server of the first', async () => {
  await using folder = await probeFolder()
  await using service = await start(folder)
  const second = await runCli(['start'], { cwd: folder.path, env: ANY_PORT })
  assert.equal(second.code, 1)
  assert.match(second.stderr, new RegExp(`process ${service.child.pid} `))
  assert.equal((await call(service, 'ping', 10)).status, 200)
  const doctor = await runCli(['doctor'], { cwd: folder.path, env: ANY_PORT })
  assert.match(doctor.stdout, /^ok {4}database: the embedded server answers$/m)
  const rebuilt = await runCli(['rebuild', '--json'], { cwd: folder.path, env: ANY_PORT })
  assert.equal(rebuilt.code, 0, rebuilt.stderr)
  assert.deepEqual(JSON.parse(rebuilt.stdout), { events: 2, jobs: 1, orphans: 0, missing: 0, different: 0, surplus: 0 })
  await stop(service)
})

test('api and workers run apart on one database; a worker that stops hands its job to another', async () => {
  await using folder = await probeFolder()
  await using database = await testDatabase({ migrated: false })
  const env = { ...ANY_PORT, DATABASE_URL: database.url, XCORE_LOG_LEVEL: 'debug' }
  await using api = await startCli(['api'], { cwd: folder.path, env })
  await using first = await startCli(['worker', '--plugins', 'pro*', '--concurrency', '5'], {
    cwd: folder.path,
    env: { ...env, XCORE_TEST_HOLD: 'yes' },
  })

  assert.equal(Object((await call(api, 'ping', 10)).body['result']).pid, first.child.pid)
  for (const path of ['/metrics', '/livez', '/readyz?verbose']) assert.equal((await fetch(first.url + path)).status, 200)
  assert.match(await (await fetch(`${first.url}/metrics`)).text(), /^xcore_jobs_finished_total\{[^}]*plugin="probe"[^}]*\} 1$/m)
  assert.equal((await fetch(`${first.url}/jobs`)).status, 404)

  const { body } = await call(api, 'hold')
  await first.line((line) => line.includes('holding'))
  await using second = await startCli(['worker'], { cwd: folder.path, env })
  first.child.kill('SIGTERM')
  assert.equal(await first.ended, 0)
  await second.line((line) => line.includes('holding'))
  const shown = await runCli(['jobs', 'show', String(body['job_id']), '--json'], { cwd: folder.path, env: { XCORE_URL: api.url } })
  assert.ok(['active', 'succeeded'].includes(JSON.parse(shown.stdout).job.state))
  await stop(second)
  await stop(api)
})

test('a worker whose metrics port is taken, or whose selection fits nothing, says so', async () => {
  await using folder = await probeFolder()
  await using database = await testDatabase()
  const env = { ...ANY_PORT, DATABASE_URL: database.url }
  await using worker = await startCli(['worker', '--plugins', 'other'], { cwd: folder.path, env })
  const warning = JSON.parse(await worker.line((line) => line.includes('runs nothing')))
  assert.deepEqual(warning.ready, ['probe'])
  const port = new URL(worker.url).port
  const second = await runCli(['worker'], { cwd: folder.path, env: { ...env, XCORE_WORKER_METRICS_PORT: port } })
  assert.equal(second.code, 2)
  assert.match(second.stderr, new RegExp(`worker\\.metrics_port: cannot listen on 127\\.0\\.0\\.1:${port}`))
  await stop(worker)
})

test('migrate and doctor on a database of one’s own', async () => {
  await using folder = await probeFolder()
  await using database = await testDatabase({ migrated: false })
  const env = { ...ANY_PORT, DATABASE_URL: database.url }
  const before = JSON.parse((await runCli(['doctor', '--json'], { cwd: folder.path, env })).stdout)
  assert.equal(before.findings.find((finding: { name: string }) => finding.name === 'migrations').status, 'warn')
  const applied = JSON.parse((await runCli(['migrate', '--json'], { cwd: folder.path, env })).stdout).applied
  assert.ok(applied.length > 0)
  assert.match((await runCli(['migrate'], { cwd: folder.path, env })).stdout, /up to date/)
  const after = JSON.parse((await runCli(['doctor', '--json'], { cwd: folder.path, env })).stdout)
  const failing = after.findings.filter((finding: { status: string }) => finding.status !== 'ok')
  assert.deepEqual(
    failing.map((finding: { name: string }) => finding.name),
    ['plugin bad'],
  )
})

test('a process that launched XCore on a newer Node takes it along when it is killed', async () => {
  // The launcher is what an older Node runs; here its channel is played by this test.
  await using folder = await probeFolder()
  const child = fork(join(import.meta.dirname, '../apps/cli/bin/xcore.js'), ['start'], {
    cwd: folder.path,
    env: { PATH: process.env['PATH'], ...ANY_PORT },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  await new Promise<void>((resolve) => child.stdout?.on('data', (data: Buffer) => data.toString().includes('Try it') && resolve()))
  child.disconnect()
  assert.equal(await ended, 0)
  assert.ok(!isAlive(child.pid ?? 0))
})
