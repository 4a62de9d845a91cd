import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge } from './verdict.ts'
import type { Answer } from './verdict.ts'

const now = new Date('2026-03-01T12:00:00.000Z')
const answered = (status: number, retryAfter?: string): Answer => ({ kind: 'answered', status, retryAfter, body: 'words' })

test('2xx is delivered; 408, 429, 5xx and silence are tried again; all else is final', () => {
  for (const status of [200, 201, 202, 204, 299]) assert.equal(judge(answered(status), now).kind, 'delivered', String(status))
  for (const status of [408, 429, 500, 502, 503, 504, 599]) assert.equal(judge(answered(status), now).kind, 'retry', String(status))
  for (const status of [301, 302, 307, 400, 401, 403, 404, 410, 422, 499])
    assert.equal(judge(answered(status), now).kind, 'rejected', String(status))
  assert.equal(judge({ kind: 'unreachable', reason: 'connect ECONNREFUSED' }, now).kind, 'retry')
  assert.equal(judge({ kind: 'forbidden', reason: 'private' }, now).kind, 'rejected')
})

test('Retry-After counts for answers that are tried again', () => {
  assert.deepEqual(judge(answered(429, '7'), now), { kind: 'retry', message: 'the endpoint answered 429: words', afterSeconds: 7 })
  assert.deepEqual(judge(answered(503), now), { kind: 'retry', message: 'the endpoint answered 503: words', afterSeconds: undefined })
})

test('a redirect says what to do', () => {
  const verdict = judge(answered(308), now)
  assert.ok(verdict.kind === 'rejected' && verdict.code === 'endpoint_rejected')
  assert.match(verdict.message, /register the final URL/)
})
