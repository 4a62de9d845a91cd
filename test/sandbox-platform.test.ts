import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { composeStandalone } from '../apps/cli/compose.ts'
import { loadConfig } from '../libs/config/index.ts'
import { live } from '../libs/plugin-host/runners/sandboxed/host/launch.ts'
import { testDatabase, testLogger } from '../libs/postgres/testing/index.ts'

const FILES = {
  'shop/plugin.yaml': `
name: shop
version: 1.0.0
execution_mode: sandboxed
concurrency: 10
resources: {timeout_seconds: 5, max_memory_mb: 96}
runtime: {retry: {max_attempts: 2, backoff_seconds: 0.1}}
permissions:
  - {resource: "db.*"}
  - {resource: "cache.*"}
  - {resource: "events:order.*"}
  - {resource: "service:scheduler"}
  - {resource: "plugin:other"}
`,
  'shop/migrations/001_orders.sql':
    'create table orders (id text primary key, amount numeric not null, at timestamptz not null default now(), raw bytea)',
  'shop/src/main.ts': `
import { SandboxedBase, Router, Type, action, error, ok, route } from '@xcore/sdk'
import type { JobContext, Payload } from '@xcore/sdk'

export default class Plugin extends SandboxedBase {
  ticks = 0
  override onLoad() {
    this.ctx.events.on('order.placed', this.onPlaced)
    void this.getService('scheduler').addJob({ id: 'tick', trigger: 'interval', seconds: 0.2, func: this.tick, args: ['a'] })
  }
  override actions = {
    place: action({ input: Type.Object({ id: Type.String(), amount: Type.Number() }), handler: async (payload, job) => {
      await job.transaction(async (tx) => {
        await tx.query('insert into orders (id, amount, raw) values ($1, $2, $3)', [payload.id, payload.amount, Buffer.from('raw')])
        await this.ctx.events.emit('order.placed', payload, { tx })
      })
      return payload.amount < 0 ? error('negative', { retryable: true }) : ok()
    } }),
  }
  override async handle(name: string, payload: Payload, job: JobContext) {
    const db = this.getService('db')
    const cache = this.getService('cache')
    switch (name) {
      case 'orders': {
        const rows = await db.query<{ id: string, at: Date, raw: Buffer }>('select id, at, raw from orders order by id')
        return ok({ orders: rows.map((row) => [row.id, row.at instanceof Date, row.raw.toString()]) })
      }
      case 'moved': {
        const count = await db.transaction(async (tx) => (await tx.query('select count(*)::int as n from orders'))[0]?.n)
        const inner = await db.session(async (session) => session.transaction(async (tx) => (await tx.query('select 1 as one'))[0]?.one))
        const failed = await db.transaction(async (tx) => { await tx.query("insert into orders (id, amount) values ('x', 1)"); throw new Error('no') }).catch((thrown: Error) => thrown.message)
        return ok({ count, inner, failed })
      }
      case 'foreign': await db.query('select * from xcore.jobs'); return
      case 'cache': {
        const made = await cache.getOrSet('k', () => ({ n: 1 }))
        return ok({ made, again: await cache.get('k'), null: await cache.get('none') })
      }
      case 'ticks': return ok({ ticks: this.ticks })
      case 'exit': process.exit(1)
      case 'wait': await new Promise((resolve) => setTimeout(resolve, Number(payload.ms ?? 300))); return ok({ attempt: job.attempt })
      case 'spin': for (;;) {}
      case 'ping': return ok({ attempt: job.attempt })
      default: return error('no ' + name, { code: 'unknown_action' })
    }
  }
  async onPlaced(event: { data: { id: string } }) {
    await this.getService('cache').set('placed.' + event.data.id, true)
  }
  tick(word: string) {
    if (word === 'a') this.ticks += 1
  }
  override getRouter() {
    const router = new Router()
    router.get('/orders', async (ctx) => { ctx.body = await this.getService('db').query('select id from orders order by id') })
    router.get('/orders/:id', route({ params: Type.Object({ id: Type.String() }), summary: 'One order' }, (_ctx, { params }) => params))
    return router
  }
}
`,
  'crasher/plugin.yaml':
    'name: crasher\nversion: 1.0.0\nexecution_mode: sandboxed\nruntime: {retry: {max_attempts: 2, backoff_seconds: 0.1}}\n',
  'crasher/src/main.ts': `
import { SandboxedBase, ok } from '@xcore/sdk'
export default class Plugin extends SandboxedBase {
  override handle(name: string) {
    return name === 'exit' ? process.exit(1) : ok()
  }
}
`,
  'other/plugin.yaml': 'name: other\nversion: 1.0.0\n',
  'other/src/main.ts': `
import { TrustedBase, ok } from '@xcore/sdk'
export default class Plugin extends TrustedBase {
  override handle() { return ok({ here: true }) }
}
`,
}

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

describe('a sandboxed plugin on the whole platform', () => {
  const stack = new AsyncDisposableStack()
  let url = ''

  before(async () => {
    const database = stack.use(await testDatabase())
    const dir = await mkdtemp(join(tmpdir(), 'xcore-sandboxed-'))
    stack.defer(() => rm(dir, { recursive: true, force: true }))
    for (const [name, text] of Object.entries(FILES)) {
      await mkdir(dirname(join(dir, name)), { recursive: true })
      await writeFile(join(dir, name), text)
    }
    const env = { DATABASE_URL: database.url, XCORE_HTTP_PORT: '0', XCORE_PLUGINS_DIR: dir, XCORE_WORKER_METRICS_PORT: '0' }
    const service = await composeStandalone({
      config: loadConfig({ cwd: dir, env }),
      logger: testLogger,
      signal: new AbortController().signal,
    })
    stack.defer(() => service.stop(2_000))
    url = service.url
  })
  after(async () => {
    await stack.disposeAsync()
    assert.equal(live.size, 0, 'no sandbox is left')
  })

  async function call(action: string, payload: object = {}, plugin = 'shop'): Promise<Answer> {
    const response = await fetch(`${url}/ipc/${plugin}/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'wait=20' },
      body: JSON.stringify({ payload }),
    })
    return { status: response.status, body: await json(response) }
  }
  async function json(response: Response): Promise<Record<string, unknown>> {
    const body: unknown = await response.json()
    return typeof body === 'object' && body !== null ? { ...body } : {}
  }

  test('job.transaction commits with the outcome, with the events emitted in it', async () => {
    assert.equal((await call('place', { id: 'a', amount: 1.5 })).status, 200)
    const failed = await call('place', { id: 'b', amount: -1 })
    assert.notEqual(failed.status, 200)
    const { body } = await call('orders')
    assert.deepEqual(body['result'], { status: 'ok', orders: [['a', true, 'raw']] })
  })

  test('db, cache and routes are the host’s, within the plugin’s own', async () => {
    assert.deepEqual((await call('moved')).body['result'], { status: 'ok', count: 1, inner: 1, failed: 'no' })
    assert.deepEqual((await call('cache')).body['result'], { status: 'ok', made: { n: 1 }, again: { n: 1 }, null: null })
    const foreign = await call('foreign')
    assert.match(JSON.stringify(foreign.body), /permission/)
    const routed = await fetch(`${url}/plugins/shop/orders`)
    assert.deepEqual(await routed.json(), [{ id: 'a' }])
  })

  test('what it declares is in /openapi.json', async () => {
    const { paths } = await json(await fetch(`${url}/openapi.json`))
    const { post } = Object(paths)['/ipc/shop/place']
    assert.match(JSON.stringify(post.requestBody), /"amount":\{"type":"number"\}/)
    assert.equal(Object(paths)['/plugins/shop/orders/{id}'].get.summary, 'One order')
  })

  test('schedules fire inside', async () => {
    for (let tries = 0; ; tries += 1) {
      const { body } = await call('ticks')
      const { ticks } = Object(body['result'])
      if (Number(ticks) > 0) break
      assert.ok(tries < 200)
      await call('wait', { ms: 50 })
    }
  })

  test('what shares a sandbox with a crash is run again, alone, and spends no attempt', async () => {
    let interruptions = 0
    const [exit, ...waits] = await Promise.all([call('exit'), call('wait'), call('wait'), call('wait')])
    assert.match(JSON.stringify(exit.body), /sandbox_crashed/)
    for (const wait of waits) {
      assert.deepEqual(wait.body['result'], { status: 'ok', attempt: 1 })
      const { events } = await json(await fetch(`${url}/jobs/${String(wait.body['job_id'])}/events`))
      const told = Array.isArray(events) ? events.map((event: object) => Object(event)) : []
      assert.deepEqual([told[0]?.type, told.at(-1)?.type], ['job.requested', 'job.succeeded'])
      for (const event of told.slice(1, -1))
        assert.deepEqual([event.type, event.attempt, event.error.code], ['job.attempt_interrupted', 1, 'sandbox_interrupted'])
      interruptions += told.length - 2
    }
    assert.ok(interruptions > 0, 'no job tells that it was interrupted')
    assert.equal((await call('ping')).status, 200)
    assert.equal((await call('anything', {}, 'other')).status, 200)
  })

  test('a blocked loop spends an attempt of its own job only', async () => {
    const [spin, ...waits] = await Promise.all([call('spin'), call('wait', { ms: 4_800 }), call('wait', { ms: 300 }), call('ping')])
    assert.match(JSON.stringify(spin.body), /timeout|queued/)
    for (const wait of waits)
      assert.deepEqual(wait.body['result'] ?? wait.body['status'], wait.status === 202 ? 'queued' : { status: 'ok', attempt: 1 })
  })

  test('the admin api and the metrics tell of it', async () => {
    const plugin = await json(await fetch(`${url}/admin/plugins/shop`))
    const { ring, circuit } = Object(plugin['sandbox'])
    assert.match(String(ring), /permission|uid|bwrap/)
    assert.equal(circuit, 'closed')
    assert.match(await (await fetch(`${url}/metrics`)).text(), /xcore_sandbox_restarts_total\{plugin="shop",reason="sandbox_crashed"\} \d/)
  })

  test('after crashes in a row it is suspended, until it is resumed', async () => {
    for (let crashes = 0; crashes < 40; crashes += 1) {
      const { status, body } = await call('exit', {}, 'crasher')
      if (status === 503) break
      assert.match(JSON.stringify(body), /sandbox_crashed|not_ready|queued/)
    }
    const { circuit } = Object((await json(await fetch(`${url}/admin/plugins/crasher`)))['sandbox'])
    assert.equal(circuit, 'open')
    assert.equal((await call('ping', {}, 'crasher')).status, 503)
    assert.equal((await call('ping')).status, 200)
    assert.equal((await call('anything', {}, 'other')).status, 200)
    assert.equal((await fetch(`${url}/admin/plugins/crasher/resume`, { method: 'POST' })).status, 200)
    assert.equal((await call('ping', {}, 'crasher')).status, 200)
  })
})
