import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bulkReplayOf } from '../../replay-body.ts'
import { dryRunOf, parseJson, planOf, planSentence, replayRequest, type ReplayForm } from './replay-request.ts'

const FORM: ReplayForm = {
  filter: { state: 'failed,dead' },
  payloadMatch: '',
  payload: '',
  rate: '',
  stopAtPercent: '',
  priority: '',
  force: false,
}
const bodyOf = (form: Partial<ReplayForm>) => {
  const read = replayRequest({ ...FORM, ...form })
  assert.ok(read.ok, JSON.stringify(read))
  return read.body
}

test('what was typed becomes a body that the api takes', () => {
  const body = bodyOf({
    filter: { plugin: 'shop', state: 'dead', since: '2h', cursor: 'x' },
    payloadMatch: '{"user.id": 7}',
    payload: ' ',
    rate: '50',
    stopAtPercent: '20',
    priority: '5',
    force: true,
  })
  assert.deepEqual(body, {
    filter: { plugin: 'shop', state: 'dead', since: '2h', payload: { 'user.id': 7 } },
    rate_per_second: 50,
    stop_at_failures: 0.2,
    priority: 5,
    force: true,
  })
  const json = (value: object) => JSON.parse(JSON.stringify(value))
  const now = new Date('2026-03-01T12:00:00Z')
  assert.equal(bulkReplayOf(json(dryRunOf(body)), 'me', now).dryRun, true)
  assert.equal(bulkReplayOf(json({ ...body, name: 'a', reason: 'b' }), 'me', now).dryRun, false)
  assert.deepEqual(dryRunOf(body), { filter: body['filter'], force: true, dry_run: true })
})

test('mistakes are told at once, all of them', () => {
  const read = replayRequest({ ...FORM, filter: {}, rate: 'fast', payload: '{' })
  assert.ok(!read.ok)
  assert.deepEqual(read.mistakes.length, 3)
  assert.match(read.mistakes.join('\n'), /filter is empty.*\n.*New payload: expected JSON|Jobs per second: expected a number, found “fast”/)
  assert.deepEqual(parseJson('null'), { ok: true, value: null })
})

test('a plan in words', () => {
  const plan = planOf({
    matched: 3000,
    checked: 3000,
    to_replay: 2990,
    by_plugin: { shop: 1, mail: 2 },
    left_out: { unsafe: 10 },
    invalid: [{ job_id: 'j', plugin: 'shop', name: 'order', errors: [{ path: '', message: 'expected an object' }] }],
    unhandled: [{ plugin: 'shop', name: 'gone', count: 4, why: 'no such action' }],
    sample: [{ job_id: 'k', plugin: 'shop', name: 'order', error_code: 'timeout' }],
  })
  assert.equal(planSentence(plan), '3,000 jobs matched, 2,990 would run again.')
  assert.deepEqual(plan.byPlugin, [
    ['mail', 2],
    ['shop', 1],
  ])
  assert.deepEqual(plan.invalid, [{ id: 'j', what: 'shop.order: / expected an object' }])
  assert.deepEqual(plan.unhandled, ['4 of shop.gone: no such action'])
  assert.deepEqual(plan.sample, [{ id: 'k', what: 'shop.order timeout' }])
  assert.match(planSentence(planOf({ matched: 200_000, checked: 100_000, to_replay: 1 })), /100,000 of them were looked at/)
})
