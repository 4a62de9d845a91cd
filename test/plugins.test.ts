import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { sign } from '@octokit/webhooks-methods'
import { Webhook } from 'standardwebhooks'
import { testDatabase } from '../libs/postgres/testing/index.ts'
import { startCli, testFolder } from './cli-process.ts'
import type { RunningCli } from './cli-process.ts'
import { endpoint, says } from './webhook-endpoint.ts'

// The example plugins in a real `xcore start`.
const GITHUB_SECRET = 'a secret of GitHub'
const open = new AsyncDisposableStack()
let xcore: RunningCli

before(async () => {
  const folder = open.use(await testFolder())
  const database = open.use(await testDatabase())
  const env = {
    DATABASE_URL: database.url,
    XCORE_DATA_DIR: join(folder.path, 'data'),
    XCORE_HTTP_PORT: '0',
    XCORE_PLUGINS_DIR: join(import.meta.dirname, '..', 'plugins'),
    GITHUB_WEBHOOK_SECRET: GITHUB_SECRET,
    WEBHOOKS_ALLOW_PRIVATE: 'true',
  }
  xcore = open.use(await startCli(['start'], { cwd: folder.path, env }))
})
after(() => open.disposeAsync())

interface Answer {
  readonly status: number
  readonly headers: Headers
  // Only what the tests look at; anything else is undefined.
  readonly body: Record<string, unknown>
}

async function http(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(xcore.url + path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const parsed: unknown = text === '' ? {} : JSON.parse(text)
  assert.ok(typeof parsed === 'object' && parsed !== null)
  return { status: response.status, headers: response.headers, body: { ...parsed } }
}

const call = (plugin: string, action: string, payload: unknown) =>
  http('POST', `/ipc/${plugin}/${action}`, { payload }, { prefer: 'wait=30' })

/** The types of a job's log entries, oldest first. */
async function history(jobId: unknown): Promise<readonly string[]> {
  const { body } = await http('GET', `/jobs/${String(jobId)}/events`)
  assert.ok(Array.isArray(body.events))
  return body.events.map((event: { type: string }) => event.type)
}

function resultOf({ body }: Answer): Record<string, unknown> {
  assert.ok(typeof body.result === 'object' && body.result !== null, JSON.stringify(body))
  return { ...body.result }
}

test('hello: answers, validates, retries what throws, times out what is slow', async () => {
  assert.deepEqual(resultOf(await call('hello', 'ping', {})), { status: 'ok', message: 'pong' })
  assert.deepEqual(resultOf(await call('hello', 'echo', { a: [1, 'ö'] })).received, { a: [1, 'ö'] })
  assert.equal(resultOf(await call('hello', 'greet', { name: 'Ada', language: 'fr' })).greeting, 'Bonjour, Ada!')
  const refused = await call('hello', 'greet', { name: '', language: 'xx' })
  assert.equal(refused.status, 422)
  assert.equal(refused.body.code, 'validation_error')
  assert.equal((await call('hello', 'constructor', {})).status, 404)

  const flaky = await call('hello', 'flaky', { failures: 1 })
  assert.equal(resultOf(flaky).attempts, 2)
  assert.deepEqual(await history(flaky.body.job_id), ['job.requested', 'job.attempt_failed', 'job.succeeded'])

  const slow = await call('hello', 'slow', { seconds: 10 })
  assert.equal(slow.status, 504)
  assert.deepEqual(await history(slow.body.job_id), ['job.requested', 'job.attempt_failed', 'job.attempt_failed', 'job.dead'])
  assert.equal((await http('GET', '/plugins/hello/greet/Bob')).body.greeting, 'Hello, Bob!')
})

test('items: create, read, update and delete over routes; actions see the same items', async () => {
  const made = await http('POST', '/plugins/items/items', { name: 'Lamp', price: 5, colour: 'red' })
  assert.equal(made.status, 201)
  const location = made.headers.get('location') ?? ''
  assert.deepEqual((await http('GET', location)).body, made.body)
  assert.deepEqual((await http('PUT', location, { price: 6 })).body, { ...made.body, price: 6 })
  const created = resultOf(await call('items', 'create', { name: 'Chair' }))
  const { items } = (await http('GET', '/plugins/items/items')).body
  assert.ok(Array.isArray(items))
  assert.deepEqual(items.map((item: { id: string }) => item.id).sort(), [made.body.id, created.id].sort())
  assert.deepEqual((await http('DELETE', location)).body, { deleted: true })
  for (const method of ['GET', 'DELETE']) assert.equal((await http(method, location)).status, 404)
  assert.equal((await http('PUT', location, { price: 6 })).status, 404)

  const bad = await http('POST', '/plugins/items/items', { price: -1 })
  assert.equal(bad.status, 422)
  assert.equal(bad.body.code, 'validation_error')
  assert.ok(Array.isArray(bad.body.errors) && bad.body.errors.length === 2)
})

test('users: validated alike over route and action, unique, and welcomed by hello', async () => {
  const ada = { username: 'ada', email: 'ada@example.com', age: 36 }
  const created = await call('users', 'create_user', ada)
  assert.equal(created.status, 200)
  await xcore.line((line) => line.includes('Hello, ada!'))
  assert.deepEqual((await http('GET', '/plugins/hello/welcomes')).body, { welcomes: ['Hello, ada!'] })

  const again = await call('users', 'create_user', { ...ada, email: 'other@example.com' })
  assert.equal(again.status, 409)
  assert.equal(resultOf(again).code, 'username_taken')
  const route = await http('POST', '/plugins/users/users', { ...ada, username: 'bob' })
  assert.equal(route.status, 409)
  assert.equal(route.body.code, 'email_taken')
  for (const wrong of [{ username: 'ab' }, { email: 'nope' }, { age: 151 }]) {
    assert.equal((await http('POST', '/plugins/users/users', { ...ada, ...wrong })).status, 422)
    assert.equal((await call('users', 'create_user', { ...ada, ...wrong })).status, 422)
  }
})

test('github: signed deliveries become events once, all others are refused', async () => {
  const body = JSON.stringify({ action: 'opened', issue: { title: 'Ünïcode' } })
  const deliver = async (id: string, secret: string | undefined, event = 'issues') =>
    http('POST', '/plugins/github/webhook', body, {
      'x-github-event': event,
      'x-github-delivery': id,
      ...(secret === undefined ? {} : { 'x-hub-signature-256': await sign(secret, body) }),
    })
  const first = await deliver('d-1', GITHUB_SECRET)
  assert.equal(first.status, 202)
  assert.equal(first.body.name, 'github.issues.opened')
  assert.equal((await deliver('d-1', GITHUB_SECRET)).body.event_id, first.body.event_id)
  assert.notEqual((await deliver('d-2', GITHUB_SECRET)).body.event_id, first.body.event_id)
  for (const secret of ['guessed', undefined]) assert.equal((await deliver('d-3', secret)).status, 401)
  assert.equal((await deliver('d-3', GITHUB_SECRET, '')).status, 400)
  const huge = JSON.stringify({ text: 'x'.repeat(300_000) })
  const tooLarge = await http('POST', '/plugins/github/webhook', huge, { 'x-hub-signature-256': await sign(GITHUB_SECRET, huge) })
  assert.equal(tooLarge.status, 413)
})

test('webhooks: an event is delivered signed, and again after 500 and 429, with the same id', async () => {
  await using target = await endpoint(says(500), says(429, { 'retry-after': '1' }), says(204))
  const added = await http('POST', '/plugins/webhooks/endpoints', { url: target.url, events: ['github.*', 'github.push'] })
  assert.equal(added.status, 201)
  const body = JSON.stringify({ ref: 'refs/heads/main' })
  await http('POST', '/plugins/github/webhook', body, {
    'x-github-event': 'push',
    'x-github-delivery': 'd-push',
    'x-hub-signature-256': await sign(GITHUB_SECRET, body),
  })
  // Two of its patterns match: still one delivery, of three attempts.
  const attempts = await target.all
  assert.equal(new Set(attempts.map(({ headers }) => headers['webhook-id'])).size, 1)
  for (const attempt of attempts) {
    const message: unknown = new Webhook(String(added.body.secret)).verify(attempt.body, attempt.headers)
    assert.ok(typeof message === 'object' && message !== null && 'type' in message && 'data' in message)
    assert.equal(message.type, 'github.push')
    assert.deepEqual(message.data, { delivery_id: 'd-push', event: 'push', action: null, payload: { ref: 'refs/heads/main' } })
  }
  assert.equal((await http('DELETE', `/plugins/webhooks/endpoints/${String(added.body.id)}`)).status, 204)
})

test('webhooks: 410 is final, unknown endpoints too; secrets stay out of actions', async () => {
  await using target = await endpoint(says(410))
  const added = resultOf(await call('webhooks', 'add_endpoint', { id: 'gone', url: target.url, events: ['nothing.at.all'] }))
  assert.deepEqual(added.endpoint, { id: 'gone', url: target.url, events: ['nothing.at.all'] })
  const event = { id: 'e-1', name: 'a.b', source: 'test', time: new Date().toISOString(), data: {} }
  const gone = await call('webhooks', 'deliver', { endpoint_id: 'gone', event })
  assert.equal(resultOf(gone).code, 'endpoint_rejected')
  assert.deepEqual(await history(gone.body.job_id), ['job.requested', 'job.failed'])
  assert.equal(resultOf(await call('webhooks', 'deliver', { endpoint_id: 'nobody', event })).code, 'endpoint_unknown')
  assert.equal((await call('webhooks', 'add_endpoint', { url: target.url, events: ['*'], secret: 'whsec_x' })).status, 422)
  assert.deepEqual(resultOf(await call('webhooks', 'remove_endpoint', { id: 'gone' })).removed, 'gone')
})
