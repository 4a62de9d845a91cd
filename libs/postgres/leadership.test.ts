import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { createDatabase } from './database.ts'
import { createLeadership } from './leadership.ts'
import { testDatabase, testLogger } from './testing/index.ts'
import { startProcess } from './testing/processes/process.ts'
import type { Leadership } from './leadership.ts'

const stand = (url: string, name = 'test', level = 'error') =>
  createLeadership({ url, name, logger: testLogger.child({}, { level }), checkMs: 50 })

/** Stands for the lead; resolves with the signal of the first term. */
function elected(leadership: Leadership): Promise<AbortSignal> {
  const { promise, resolve } = Promise.withResolvers<AbortSignal>()
  leadership.lead(resolve)
  return promise
}

test('one of several leads; the next takes over when it stops', async () => {
  await using home = await testDatabase({ migrated: false })
  const [first, second] = [stand(home.url), stand(home.url)]
  try {
    const signal = await elected(first)
    const next = elected(second)
    assert.ok(first.isLeader())
    await first.stop()
    assert.ok(signal.aborted)
    assert.ok(!first.isLeader())
    assert.ok(!(await next).aborted)
    assert.ok(second.isLeader())
  } finally {
    await Promise.all([first.stop(), second.stop()])
  }
})

test('each duty has a leader of its own', async () => {
  await using home = await testDatabase({ migrated: false })
  const [one, other] = [stand(home.url, 'one'), stand(home.url, 'other')]
  try {
    await Promise.all([elected(one), elected(other)])
    assert.ok(one.isLeader() && other.isLeader())
  } finally {
    await Promise.all([one.stop(), other.stop()])
  }
})

test('a process that is killed loses the lead to another within 5 s', async () => {
  await using home = await testDatabase({ migrated: false })
  const leader = startProcess('leader', [home.url])
  await leader.next()
  await leader.next()
  await using follower = startProcess('leader', [home.url])
  await follower.next()
  const takenOver = follower.next()
  const killedAt = performance.now()
  await leader.kill('SIGKILL')
  assert.deepEqual(await takenOver, { leads: follower.pid })
  assert.ok(performance.now() - killedAt < 5_000)
})

test('the signal aborts when the connection that holds the lock is lost; then the process stands again', async () => {
  await using home = await testDatabase({ migrated: false })
  const db = createDatabase({ url: home.url, applicationName: 'test' })
  const leadership = stand(home.url)
  const terms: AbortSignal[] = []
  const { promise: second, resolve } = Promise.withResolvers<void>()
  const { promise: first, resolve: begin } = Promise.withResolvers<void>()
  try {
    leadership.lead((signal) => {
      begin()
      if (terms.push(signal) === 2) resolve()
    })
    await first
    await db.run(
      "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'xcore leader test' and datname = current_database()",
    )
    await second
    assert.deepEqual(
      terms.map((signal) => signal.aborted),
      [true, false],
    )
  } finally {
    await leadership.stop()
    await db.close()
  }
})

test('stop waits until the work of the leader has ended', async () => {
  await using home = await testDatabase({ migrated: false })
  const leadership = stand(home.url)
  const { promise: working, resolve: begin } = Promise.withResolvers<void>()
  let ended = false
  leadership.lead(async (signal) => {
    begin()
    await once(signal, 'abort')
    ended = true
  })
  await working
  await leadership.stop()
  assert.ok(ended)
})

test('a leader that fails makes room for another', async () => {
  await using home = await testDatabase({ migrated: false })
  const [bad, good] = [stand(home.url, 'test', 'silent'), stand(home.url)]
  const { promise: failed, resolve } = Promise.withResolvers<void>()
  try {
    bad.lead(() => {
      resolve()
      throw new Error('no')
    })
    await failed
    assert.ok(!(await elected(good)).aborted)
  } finally {
    await Promise.all([bad.stop(), good.stop()])
  }
})

test('stands even when the database is away at first, and stops', async () => {
  const leadership = stand('postgres://xcore@127.0.0.1:1/xcore')
  leadership.lead(() => {})
  await leadership.stop()
  assert.ok(!leadership.isLeader())
})
