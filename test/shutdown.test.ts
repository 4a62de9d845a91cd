import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { testDatabase } from '../libs/postgres/testing/index.ts'
import { startCli, testFolder } from './cli-process.ts'

const FILES = {
  'plugins/shop/plugin.yaml': 'name: shop\nversion: 1.0.0\nconcurrency: 3\nresources: { timeout_seconds: 60 }\n',
  'plugins/shop/src/main.ts': `
    import { TrustedBase, action, ok } from '@xcore/sdk'
    export default class Shop extends TrustedBase {
      override actions = {
        order: action({ handler: async ({ gate }) => { await fetch(gate); return ok({ pid: process.pid }) } }),
      }
    }`,
}

/** Answers no request before it is opened. */
async function openGate() {
  const waiting: ServerResponse[] = []
  let open = false
  let came = Promise.withResolvers<void>()
  const server = createServer((_request, response) => {
    if (open) response.end()
    else waiting.push(response)
    came.resolve()
    came = Promise.withResolvers()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`,
    async reached(count: number) {
      while (waiting.length < count) await came.promise
    },
    open() {
      open = true
      for (const response of waiting) response.end()
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

test('SIGTERM under load: not ready, no more claims, what runs is finished, exit 0; the rest runs elsewhere, on its first attempt', async () => {
  await using database = await testDatabase()
  await using folder = await testFolder()
  await folder.write(FILES)
  await using gate = await openGate()
  const options = { cwd: folder.path, env: { DATABASE_URL: database.url, XCORE_HTTP_PORT: '0', XCORE_WORKER_METRICS_PORT: '0' } }
  await using api = await startCli(['api'], options)
  await using leaving = await startCli(['worker'], options)
  const answer = async (url: string, init: RequestInit = {}) => {
    const response = await fetch(url, init)
    return { status: response.status, body: Object(await response.json()) }
  }
  assert.equal((await answer(`${leaving.url}/readyz`)).status, 200)
  const verbose = await answer(`${api.url}/readyz?verbose`)
  assert.deepEqual(
    verbose.body.checks.map(({ name }: { name: string }) => name),
    ['process', 'database', 'queue', 'migrations', 'plugins', 'workers'],
  )

  const submit = async () => {
    const body = JSON.stringify({ payload: { gate: gate.url } })
    const { status, body: accepted } = await answer(`${api.url}/ipc/shop/order`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    assert.equal(status, 202)
    return String(accepted.job_id)
  }
  const ids = await Promise.all(Array.from({ length: 10 }, submit))
  await gate.reached(3)
  leaving.child.kill('SIGTERM')
  await leaving.line((line) => line.includes('Stopping on SIGTERM'))
  const stopping = await answer(`${leaving.url}/readyz?verbose`)
  assert.equal(stopping.status, 503)
  assert.deepEqual(stopping.body.checks[0], { name: 'process', ok: false, detail: 'stopping' })
  assert.equal((await answer(`${leaving.url}/livez`)).status, 200)
  gate.open()
  assert.equal(await leaving.ended, 0)
  const finishedLines = leaving.lines.filter((line) => line.includes('"attempt finished"')).map((line) => Object(JSON.parse(line)))
  assert.deepEqual(
    finishedLines.map(({ plugin, attempt, outcome }) => [plugin, attempt, outcome]),
    Array.from({ length: 3 }, () => ['shop', 1, 'succeeded']),
  )
  for (const { job, correlation_id: correlationId, seconds } of finishedLines)
    assert.ok(ids.includes(job) && correlationId === job && seconds >= 0)

  await using staying = await startCli(['worker'], options)
  const runBy = new Map<number, number>()
  for (const id of ids) {
    const job = await finished(api.url, id, answer)
    assert.deepEqual([job.state, job.attempt], ['succeeded', 1])
    runBy.set(job.result.pid, (runBy.get(job.result.pid) ?? 0) + 1)
  }
  assert.deepEqual(Object.fromEntries(runBy), { [leaving.child.pid ?? 0]: 3, [staying.child.pid ?? 0]: 7 })
})

async function finished(url: string, id: string, answer: (url: string) => Promise<{ body: { state: string } & Record<string, never> }>) {
  for (;;) {
    const { body } = await answer(`${url}/jobs/${id}`)
    if (!['queued', 'active', 'retrying'].includes(body.state)) return Object(body)
  }
}
