import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { testEngine } from '../libs/engine/testing/running.ts'
import { createPluginHost } from '../libs/plugin-host/index.ts'
import { testLogger } from '../libs/postgres/testing/index.ts'
import { createMemorySchedules } from '../libs/services/scheduler/memory/registry.ts'

const RELOADS = 1_000
/** What a reload of this plugin of three files may keep for good; measured: see docs/plugins/lifecycle.md. */
const KEPT_BYTES_PER_RELOAD = 60_000

const FILES = {
  'plugin.yaml': 'name: counter\nversion: 1.0.0\nconcurrency: 20\n',
  'src/main.ts': `import { TrustedBase, ok } from '@xcore/sdk'
import { note } from './note.ts'
export default class Plugin extends TrustedBase {
  reloads = 0
  onLoad() {
    this.reloads = (this.previousState ?? -1) + 1
    this.ctx.events.on('counted.*', this.onCounted, { id: 'counted' })
  }
  onReload() { return this.reloads }
  onUnload() { globalThis.reloadTest.unloaded += 1 }
  async handle(name, payload, job) {
    note(job.id)
    await new Promise(setImmediate)
    if (payload.emit) await this.ctx.events.emit('counted.one', {})
    return ok({ reloads: this.reloads })
  }
  onCounted(event, job) { note(job.id) }
}`,
  'src/note.ts': `import { runs } from './runs.ts'
export const note = (id: string) => { runs.set(id, (runs.get(id) ?? 0) + 1) }`,
  'src/runs.ts': `export const runs: Map<string, number> = globalThis.reloadTest.runs`,
}

declare global {
  var reloadTest: { readonly runs: Map<string, number>; unloaded: number }
}

test(`${RELOADS} reloads under load lose no job and run none twice`, { timeout: 300_000 }, async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'xcore-reload-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(dir, { recursive: true }))
  for (const [path, text] of Object.entries(FILES)) {
    await mkdir(dirname(join(dir, 'counter', path)), { recursive: true })
    await writeFile(join(dir, 'counter', path), text)
  }
  globalThis.reloadTest = { runs: new Map(), unloaded: 0 }
  const host = createPluginHost({ dir, frameworkVersion: '3.0.0', hostEnv: {}, logger: testLogger })
  const running = stack.use(await testEngine(host, { changes: host }))
  const { engine, database } = running
  stack.defer(() => host.unloadAll())
  await host.loadAll({ engine, subscriptions: engine.subscriptions, schedules: createMemorySchedules(Date.now) })

  const loading = new AbortController()
  const submitted: string[] = []
  async function client(number: number): Promise<void> {
    while (!loading.signal.aborted) {
      const { jobId } = await engine.submit({ plugin: 'counter', action: 'work', payload: { emit: number === 0 }, source: 'cli' })
      submitted.push(jobId)
      if (number % 2 === 0) await engine.wait(jobId, 30_000)
    }
  }
  const clients = [0, 1, 2, 3].map(client)
  const heap: number[] = []
  const started = performance.now()
  for (let n = 0; n < RELOADS; n += 1) {
    if (n % 100 === 0) heap.push(heapAfterCollection())
    await host.reload('counter')
  }
  const seconds = (performance.now() - started) / 1000
  loading.abort()
  await Promise.all(clients)
  const { jobs } = await settled(database)
  heap.push(heapAfterCollection())
  const last = await engine.submit({ plugin: 'counter', action: 'work', payload: {}, source: 'cli' })
  assert.deepEqual((await engine.wait(last.jobId, 10_000))?.result, { status: 'ok', reloads: RELOADS })

  assert.ok(submitted.length >= 500, `expected work to go on meanwhile, found ${submitted.length} jobs`)
  const runs = globalThis.reloadTest.runs
  for (const { id, state, attempt } of jobs) assert.deepEqual([state, attempt, runs.get(id)], ['succeeded', 1, 1], id)
  for (const id of submitted) assert.equal(runs.get(id), 1)
  while (globalThis.reloadTest.unloaded < RELOADS) await new Promise(setImmediate)
  assert.equal(globalThis.reloadTest.unloaded, RELOADS)

  const [first = 0, end = 0] = [heap[1], heap.at(-1)]
  const kept = Math.round((end - first) / (RELOADS - 100))
  t.diagnostic(
    `${jobs.length} jobs, ${(RELOADS / seconds).toFixed(0)} reloads/s; heap MB: ${heap.map((bytes) => (bytes / 1e6).toFixed(1)).join(' ')}; ${kept} bytes a reload`,
  )
  assert.ok(kept < KEPT_BYTES_PER_RELOAD, `${kept} bytes kept a reload`)
})

async function settled(database: Awaited<ReturnType<typeof testEngine>>['database']) {
  for (;;) {
    const jobs = await database.run<{ id: string; state: string; attempt: number }>('select id::text, state, attempt from xcore.jobs')
    if (jobs.every(({ state }) => state === 'succeeded' || state === 'failed' || state === 'dead')) return { jobs }
  }
}

function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
  return process.memoryUsage().heapUsed
}
