import assert from 'node:assert/strict'
import { test } from 'node:test'
import { problemOf, unreachable } from './problem.ts'

test('a problem in words: code, detail, what is wrong where, what to do', () => {
  const refused = problemOf(422, {
    code: 'validation_error',
    title: 'The payload does not fit',
    detail: 'expected a number',
    errors: [{ path: '/amount', message: 'expected a number' }],
  })
  assert.deepEqual(refused, { status: 422, code: 'validation_error', message: 'expected a number', notes: ['/amount: expected a number'] })
  const denied = problemOf(403, { code: 'permission_denied', detail: 'The key "reader" lacks the scope "operate".' })
  assert.match(denied.notes.join(), /scope read.*operate/)
  assert.deepEqual(problemOf(500, { code: 'internal_error', detail: 'x', correlation_id: 'c' }).notes, ['correlation_id c'])
})

test('what is no problem of XCore: a proxy’s page, no answer at all', () => {
  assert.deepEqual(problemOf(502, undefined), {
    status: 502,
    code: 'http_502',
    message: 'The answer was HTTP 502 without an explanation.',
    notes: [],
  })
  assert.equal(unreachable('Failed to fetch').code, 'no_answer')
})
