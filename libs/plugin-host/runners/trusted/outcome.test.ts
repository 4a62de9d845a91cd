import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Discard, HttpError, RetryLater, error, ok } from '@xcore/sdk'
import fc from 'fast-check'
import type { HandlerResult } from '../../../engine/plugin-port.ts'
import { XCoreError } from '../../../errors/index.ts'
import { returned, threw } from './outcome.ts'

// What Postgres takes as jsonb: JSON without U+0000 and half surrogate pairs.
function storesWell(result: HandlerResult): boolean {
  // A backslash in the text itself is written twice: `\\\\u0000` is no U+0000.
  const text = JSON.stringify(result).replaceAll('\\\\', '')
  return !text.includes('\\u0000') && !/\\ud[89a-f]/.test(text)
}

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withObjectString: true,
  stringUnit: 'binary',
})

test('whatever a handler returns or throws becomes an outcome that can be stored', () => {
  fc.assert(
    fc.property(anything, (value) => {
      const result = returned(value)
      assert.ok(result.kind !== 'threw' && storesWell(result))
      assert.ok(result.kind !== 'ok' || result.result['status'] === 'ok')
      const thrown = threw(value)
      assert.ok(thrown.kind === 'threw' && storesWell(thrown))
    }),
    { numRuns: 1000 },
  )
})

test('ok() and error() come through as they were made', () => {
  const fields = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.jsonValue({ maxDepth: 3 }), { noNullPrototype: true })
  fc.assert(
    fc.property(fields, (made) => {
      const { status: _status, ...own } = made
      fc.pre(
        !/\\u0000|__proto__/.test(JSON.stringify(own)) && JSON.stringify(own).isWellFormed() && !/\\ud[89a-f]/.test(JSON.stringify(own)),
      )
      const result = returned(ok({ ...own }))
      assert.ok(result.kind === 'ok')
      assert.deepEqual(JSON.stringify(result.result), JSON.stringify({ status: 'ok', ...own }))
    }),
  )
  assert.deepEqual(returned(error('x', { retryable: true })), { kind: 'error', error: { code: 'error', message: 'x' }, retryable: true })
})

test('details and codes survive a throw; what cannot be stored says so', () => {
  const detailsOf = (thrown: unknown) => {
    const result = threw(thrown)
    return result.kind === 'ok' ? undefined : [result.error.code, result.error.details]
  }
  assert.deepEqual(detailsOf(new HttpError(418, 'teapot', { code: 'teapot', details: { a: 1 } })), ['teapot', { a: 1 }])
  assert.deepEqual(detailsOf(new RetryLater(1, 'x', { code: 'busy', details: [1] })), ['busy', [1]])
  assert.deepEqual(detailsOf(new Discard('x', { details: 1n })), [
    'handler_error',
    'details: expected a JSON value, found a BigInt (use a number or a text)',
  ])
  assert.deepEqual(detailsOf(new XCoreError('not_ready', 'x', { details: { a: 1 } })), ['not_ready', { a: 1 }])
  const looped = threw(new XCoreError('loop_detected', 'x'))
  assert.ok(looped.kind === 'threw' && looped.final)
})
