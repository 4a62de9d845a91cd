import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LOG_EVENT_TYPES } from '../../../../libs/event-log/log-events.ts'
import { timelineOf } from './timeline.ts'

const row = (type: string, more: object = {}) => ({
  type,
  job_id: 'j',
  recorded_at: '2026-03-01T12:00:00Z',
  position: '1',
  plugin: 'shop',
  ...more,
})

test('a job that failed, was lost, died and was replayed', () => {
  const error = { code: 'handler_error', message: '<b>no</b>' }
  const ran = { worker: 'w/1', plugin_version: '1.2.0', duration_seconds: 0.02, finished_at: '2026-03-01T12:00:01Z', error }
  const told = timelineOf(
    [
      row('job.requested', { source: 'http', plugin_version: '1.2.0' }),
      row('job.attempt_failed', { ...ran, attempt: 1, retry_at: '2026-03-01T12:00:03Z' }),
      row('job.attempt_lost', { attempt: 2, found_at: '2026-03-01T12:01:00Z', error: { code: 'worker_lost', message: 'gone' } }),
      row('job.attempt_interrupted', { ...ran, attempt: 3, error: { code: 'sandbox_interrupted', message: 'a neighbour crashed' } }),
      row('job.attempt_failed', { ...ran, attempt: 3 }),
      row('job.dead', { attempt: 3, error }),
      row('job.requested', { job_id: 'k', replay_of: 'j', source: 'replay' }),
      row('job.succeeded', { ...ran, job_id: 'k', attempt: 1, error: undefined }),
    ],
    (time) => time.slice(11, 19),
  )
  assert.deepEqual(
    told.map(({ at, jobId, tone, title, code }) => [at.slice(11, 19), jobId, tone, title, code]),
    [
      ['12:00:00', 'j', 'quiet', 'Requested', null],
      ['12:00:01', 'j', 'warn', 'Attempt 1 failed', 'handler_error'],
      ['12:01:00', 'j', 'warn', 'Attempt 2 lost: its worker stopped answering', 'worker_lost'],
      ['12:00:01', 'j', 'warn', 'Attempt 3 interrupted: it begins again', 'sandbox_interrupted'],
      ['12:00:01', 'j', 'bad', 'Attempt 3 failed', 'handler_error'],
      ['12:00:00', 'j', 'bad', 'Dead: its attempts are used up', 'handler_error'],
      ['12:00:00', 'k', 'quiet', 'Requested as a replay', null],
      ['12:00:01', 'k', 'good', 'Attempt 1 succeeded', null],
    ],
  )
  assert.deepEqual(told[1]?.facts, ['took 20 ms', 'worker w/1', 'version 1.2.0', 'next try at 12:00:03'])
  assert.equal(told[1]?.message, '<b>no</b>')
})

test('every type of the log that a job’s story can hold has words, and an unknown one its name', () => {
  for (const type of LOG_EVENT_TYPES.filter((each) => each !== 'replay.changed')) {
    assert.notEqual(timelineOf([row(type)], String)[0]?.title, type)
  }
  assert.equal(timelineOf([row('job.promoted')], String)[0]?.title, 'job.promoted')
})
