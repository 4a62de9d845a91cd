import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { testDatabase } from '../libs/postgres/testing/index.ts'
import { startCli, testFolder } from './cli-process.ts'
import type { RunningCli } from './cli-process.ts'

// What callers over HTTP see of the errors that plugins return, throw and are denied.
const GUIDE = `
import { Discard, HttpError, RetryLater, Router, TrustedBase, error, ok } from '@xcore/sdk'
import type { JobContext, Payload } from '@xcore/sdk'

export default class Guide extends TrustedBase {
  override async handle(name: string, payload: Payload, job: JobContext) {
    switch (name) {
      case 'invalid_input': return error('no such colour', { code: 'invalid_input', statusCode: 400 })
      case 'forbidden': return error('not yours', { code: 'forbidden', statusCode: 403 })
      case 'internal': return error('Internal server error', { code: 'internal_error', details: 'why', statusCode: 500 })
      case 'not_found': return error('User not found', { code: 'not_found' })
      case 'validation': return error('too short', { code: 'validation_error' })
      case 'plain': return error('just no')
      case 'teapot': throw new HttpError(418, 'short and stout', { code: 'teapot', details: { spout: true } })
      case 'discard': throw new Discard('never', { code: 'gone_for_good' })
      case 'later': if (job.attempt === 1) throw new RetryLater(0.05, 'busy'); return ok({ attempt: job.attempt })
      case 'odd': throw 7
      case 'denied': return ok({ service: this.getService('scheduler') })
      case 'stolen': return ok({ id: await this.ctx.events.emit('secret.told') })
      case 'loop': return ok({ id: await this.ctx.events.emit('loop.again') })
    }
    return error('Unknown action: ' + name, { code: 'unknown_action' })
  }
  override async onLoad() { this.ctx.events.on('loop.*', async () => { await this.ctx.events.emit('loop.again') }) }
  override getRouter() {
    const router = new Router()
    router.get('/missing', (ctx) => { ctx.body = error('User not found', { code: 'not_found' }) })
    router.get('/paid', (ctx) => { ctx.body = error('pay first', { statusCode: 402 }) })
    router.get('/fine', (ctx) => { ctx.body = { status: 'error of another kind' } })
    router.get('/thrown', () => { throw new HttpError(409, 'taken', { code: 'name_taken' }) })
    router.get('/denied', (ctx) => { ctx.body = String(this.getService('scheduler')) })
    return router
  }
}
`
const MANIFEST = `name: guide
version: 1.0.0
runtime: {retry: {max_attempts: 2, backoff_seconds: 0.01}}
permissions:
  - {resource: "events:secret.*", effect: deny}
  - {resource: "events:*"}
`
const open = new AsyncDisposableStack()
let xcore: RunningCli

before(async () => {
  const folder = open.use(await testFolder())
  const database = open.use(await testDatabase())
  await folder.write({ 'plugins/guide/plugin.yaml': MANIFEST, 'plugins/guide/src/main.ts': GUIDE })
  xcore = open.use(await startCli(['start'], { cwd: folder.path, env: { DATABASE_URL: database.url, XCORE_HTTP_PORT: '0' } }))
})
after(() => open.disposeAsync())

async function get(path: string, init: RequestInit = {}): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(xcore.url + path, init)
  return { status: response.status, body: Object(await response.json()) }
}
const call = (action: string) =>
  get(`/ipc/guide/${action}`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json', prefer: 'wait=30' } })

test('every error of an action has its status, code and message', async () => {
  const expected: readonly (readonly [string, number, string, string])[] = [
    ['invalid_input', 400, 'invalid_input', 'no such colour'],
    ['forbidden', 403, 'forbidden', 'not yours'],
    ['internal', 500, 'internal_error', 'Internal server error'],
    ['not_found', 404, 'not_found', 'User not found'],
    ['validation', 422, 'validation_error', 'too short'],
    ['plain', 400, 'error', 'just no'],
    ['nothing', 404, 'unknown_action', 'Unknown action: nothing'],
    ['teapot', 418, 'teapot', 'short and stout'],
    ['discard', 400, 'gone_for_good', 'never'],
    ['odd', 500, 'handler_error', '7'],
  ]
  for (const [action, status, code, msg] of expected) {
    const answer = await call(action)
    const result = Object(answer.body['result'])
    assert.deepEqual(
      [answer.status, answer.body['status'], result.status, result.code, result.msg],
      [status, 'error', 'error', code, msg],
      action,
    )
  }
  assert.deepEqual(Object((await call('internal')).body['result'])['details'], 'why')
  assert.deepEqual(Object((await call('teapot')).body['result'])['details'], { spout: true })
  const later = await call('later')
  assert.deepEqual([later.status, later.body['result']], [200, { status: 'ok', attempt: 2 }])
})

test('errors of routes have theirs', async () => {
  assert.deepEqual(await get('/plugins/guide/missing'), {
    status: 404,
    body: { status: 'error', msg: 'User not found', code: 'not_found' },
  })
  assert.equal((await get('/plugins/guide/paid')).status, 402)
  assert.deepEqual(await get('/plugins/guide/fine'), { status: 200, body: { status: 'error of another kind' } })
  const thrown = await get('/plugins/guide/thrown')
  assert.deepEqual([thrown.status, thrown.body['code'], thrown.body['detail']], [409, 'name_taken', 'taken'])
})

test('a denial is 403, final, counted, logged and in the history of the job', async () => {
  for (const [action, resource] of [
    ['denied', 'service:scheduler'],
    ['stolen', 'events:secret.told'],
  ] as const) {
    const { status, body } = await call(action)
    assert.deepEqual([status, Object(body['result'])['code']], [403, 'permission_denied'])
    const job = (await get(`/jobs/${String(body['job_id'])}`)).body
    assert.deepEqual([job['state'], job['attempt']], ['failed', 1])
    const events: { type: string; data: Record<string, unknown> }[] = Object((await get(`/jobs/${String(body['job_id'])}/events`)).body)[
      'events'
    ]
    assert.ok(
      events.some(({ type }) => type === 'permission.denied'),
      JSON.stringify(events),
    )
    await xcore.line((line) => line.includes(`may not`) && line.includes(resource))
  }
  const route = await get('/plugins/guide/denied')
  assert.deepEqual([route.status, route.body['code']], [403, 'permission_denied'])
  assert.ok(!JSON.stringify(route.body).includes('scheduler'), 'what a plugin lacks is not told to callers of its routes')
  const metrics = await (await fetch(`${xcore.url}/metrics`)).text()
  assert.match(metrics, /xcore_permission_denied_total\{plugin="guide",resource_kind="service"\} 2/)
  assert.match(metrics, /xcore_permission_denied_total\{plugin="guide",resource_kind="events"\} 1/)
})

test('a plugin that sets itself off is stopped after 32 events', async () => {
  const first = await call('loop')
  assert.equal(first.status, 200)
  const correlation = String((await get(`/jobs/${String(first.body['job_id'])}`)).body['correlation_id'])
  const jobs = async (): Promise<{ state: string; error: { code: string } | null }[]> =>
    Object((await get(`/jobs?correlation_id=${correlation}&limit=200`)).body)['jobs']
  const ended = async () => (await jobs()).some(({ error }) => error?.code === 'loop_detected')
  while (!(await ended())) await new Promise(setImmediate)
  const all = await jobs()
  assert.equal(all.length, 33)
  assert.deepEqual(all.map(({ state }) => state).toSorted(), ['failed', ...Array.from({ length: 32 }, () => 'succeeded')])
})
