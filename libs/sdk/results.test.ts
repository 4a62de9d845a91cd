import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Discard, HttpError, RetryLater, SandboxedBase, TrustedBase, error, ok } from '@xcore/sdk'

test('ok() holds the fields beside the status', () => {
  assert.deepEqual(ok(), { status: 'ok' })
  assert.deepEqual(ok({ message: 'pong' }), { status: 'ok', message: 'pong' })
  const row: object = { status: 'shipped' }
  assert.throws(() => ok(row), /'status' would be overwritten/)
})

test('error() keeps to the promised JSON and tells the host of retries beside it', () => {
  assert.deepEqual(error('no'), { status: 'error', msg: 'no', code: 'error' })
  const result = error('busy', { code: 'busy', statusCode: 503, details: { queue: 4 }, retryable: true, retryAfterSeconds: 9 })
  assert.deepEqual(JSON.parse(JSON.stringify(result)), {
    status: 'error',
    msg: 'busy',
    code: 'busy',
    status_code: 503,
    details: { queue: 4 },
  })
  assert.deepEqual({ retryable: result.retryable, after: result.retryAfterSeconds }, { retryable: true, after: 9 })
  assert.throws(() => error('x', { statusCode: 200 }), RangeError)
})

test('errors carry what the host needs', () => {
  const missing = new HttpError(404, 'no such item', { details: { id: 7 } })
  assert.deepEqual([missing.status, missing.code, missing.expose, missing.details], [404, 'not_found', true, { id: 7 }])
  assert.equal(new HttpError(502).expose, false)
  assert.equal(new RetryLater(30).afterSeconds, 30)
  assert.equal(new Discard('gone').code, 'handler_error')
  assert.throws(() => new HttpError(200), RangeError)
  assert.throws(() => new RetryLater(Number.NaN), RangeError)
})

test('a context used too early says when it is there', () => {
  class Early extends TrustedBase {
    readonly name = this.ctx.name
  }
  assert.throws(() => new Early(), /this\.ctx is not there yet .* of Early; use it in onLoad/)
  assert.equal(SandboxedBase, TrustedBase)
})
