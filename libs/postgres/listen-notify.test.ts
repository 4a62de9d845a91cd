import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createDatabase } from './database.ts'
import { startEmbedded } from './embedded.ts'
import { createNotifications } from './listen-notify.ts'
import type { Notifications } from './notifications.ts'
import { testDatabase, testLogger } from './testing/index.ts'

type Channel = Parameters<Notifications['listen']>[0]

/** Resolves with the next `count` payloads of a channel. */
function collect(notifications: Notifications, channel: Channel, count: number): Promise<string[]> {
  const { promise, resolve } = Promise.withResolvers<string[]>()
  const seen: string[] = []
  const off = notifications.listen(channel, (payload) => {
    if (seen.push(payload) < count) return
    off()
    resolve(seen)
  })
  return promise
}

const reconnected = (notifications: Notifications) => new Promise<void>((resolve) => void notifications.onReconnect(resolve))
const open = (url: string, checkMs?: number) =>
  createNotifications({ url, logger: testLogger, ...(checkMs === undefined ? {} : { checkMs }) })

test('reaches the sender and other processes, in order, on the right channel', async () => {
  await using home = await testDatabase({ migrated: false })
  const [a, b] = [open(home.url), open(home.url)]
  await Promise.all([a.start(), b.start()])
  try {
    const strays = collect(b, 'xcore_plugins', 1)
    const seen = Promise.all([collect(a, 'xcore_wake', 3), collect(b, 'xcore_wake', 3)])
    await Promise.all([a.notify('xcore_wake', 'one'), a.notify('xcore_wake', 'two'), a.notify('xcore_wake', "it's; three")])
    assert.deepEqual(await seen, [
      ['one', 'two', "it's; three"],
      ['one', 'two', "it's; three"],
    ])
    await a.notify('xcore_plugins', '')
    assert.deepEqual(await strays, [''])
  } finally {
    await Promise.all([a.stop(), b.stop()])
  }
})

test('sends what is notified in one tick in one transaction', async () => {
  await using home = await testDatabase({ migrated: false })
  const db = createDatabase({ url: home.url, applicationName: 'test' })
  const notifications = open(home.url)
  await notifications.start()
  try {
    const xid = async () => Number((await db.run<{ xid: string }>('select pg_snapshot_xmax(pg_current_snapshot())::text as xid'))[0]?.xid)
    const before = await xid()
    const seen = collect(notifications, 'xcore_settled', 500)
    await Promise.all(Array.from({ length: 500 }, (_, index) => notifications.notify('xcore_settled', String(index))))
    assert.equal((await seen).length, 500)
    assert.equal((await xid()) - before, 1)
  } finally {
    await notifications.stop()
    await db.close()
  }
})

test('refuses a payload that Postgres would not carry', async () => {
  await using home = await testDatabase({ migrated: false })
  const notifications = open(home.url)
  await notifications.start()
  try {
    const seen = collect(notifications, 'xcore_wake', 1)
    await assert.rejects(notifications.notify('xcore_wake', 'ä'.repeat(3_951)), {
      code: 'internal_error',
      message: /at most 7900 bytes.*found 7902/,
    })
    await notifications.notify('xcore_wake', 'ä'.repeat(3_950))
    assert.equal((await seen)[0]?.length, 3_950)
  } finally {
    await notifications.stop()
  }
})

test('a listener that throws harms no other, and one that was taken off hears nothing', async () => {
  await using home = await testDatabase({ migrated: false })
  const notifications = createNotifications({ url: home.url, logger: testLogger.child({}, { level: 'silent' }) })
  await notifications.start()
  try {
    notifications.listen('xcore_wake', () => {
      throw new Error('bad listener')
    })
    const heard: string[] = []
    notifications.listen('xcore_wake', (payload) => heard.push(payload))()
    const seen = collect(notifications, 'xcore_wake', 1)
    await notifications.notify('xcore_wake', 'x')
    assert.deepEqual(await seen, ['x'])
    assert.deepEqual(heard, [])
  } finally {
    await notifications.stop()
  }
})

test('comes back after its connection was cut off, tells so, and sends what waited', async () => {
  await using home = await testDatabase({ migrated: false })
  const db = createDatabase({ url: home.url, applicationName: 'test' })
  const notifications = open(home.url)
  await notifications.start()
  try {
    const back = reconnected(notifications)
    const seen = collect(notifications, 'xcore_wake', 1)
    await db.run(
      "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'xcore notifications' and datname = current_database()",
    )
    await notifications.notify('xcore_wake', 'while away')
    await back
    assert.deepEqual(await seen, ['while away'])
  } finally {
    await notifications.stop()
    await db.close()
  }
})

test('works on over a restart of the server', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'xcore-restart-'))
  const first = await startEmbedded({ dataDir, durable: false, logger: testLogger })
  const notifications = open(first.url)
  try {
    await notifications.start()
    const back = reconnected(notifications)
    await first.stop()
    const second = await startEmbedded({ dataDir, durable: false, port: first.port, logger: testLogger })
    try {
      await back
      const seen = collect(notifications, 'xcore_wake', 1)
      await notifications.notify('xcore_wake', 'again')
      assert.deepEqual(await seen, ['again'])
    } finally {
      await notifications.stop()
      await second.stop()
    }
  } finally {
    await notifications.stop()
    await first.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
})

test('finds a connection that died without a word', async () => {
  await using home = await testDatabase({ migrated: false })
  // Between the two: it can go silent, as a network that drops packets does.
  let silent = false
  const pairs: Socket[] = []
  const proxy = createServer((near) => {
    const target = new URL(home.url)
    const far = connect(Number(target.port), target.hostname)
    pairs.push(near, far)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk) => silent || to.write(chunk))
      from.on('close', () => to.destroy())
      from.on('error', () => {})
    }
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  const url = new URL(home.url)
  url.port = String(typeof address === 'object' ? address?.port : '')
  const notifications = open(url.href, 100)
  try {
    await notifications.start()
    const back = reconnected(notifications)
    silent = true
    const firstPair = pairs.slice()
    await Promise.race(firstPair.map((socket) => once(socket, 'close')))
    silent = false
    await back
    const seen = collect(notifications, 'xcore_wake', 1)
    await notifications.notify('xcore_wake', 'alive')
    assert.deepEqual(await seen, ['alive'])
  } finally {
    await notifications.stop()
    for (const socket of pairs) socket.destroy()
    proxy.close()
  }
})

test('start says that the database is away', async () => {
  const notifications = open('postgres://xcore@127.0.0.1:1/xcore')
  await assert.rejects(notifications.start(), { code: 'database_unavailable' })
  await notifications.stop()
})
