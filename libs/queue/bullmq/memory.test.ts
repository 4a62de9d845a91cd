import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { jobId, pluginName, randomIds } from '../../event-log/ids.ts'
import { createDatabase } from '../../postgres/database.ts'
import { testDatabase, testLogger } from '../../postgres/testing/index.ts'
import type { QueueEntry } from '../port.ts'
import { hasRoom } from './memory-room.ts'
import { createBullmqQueue } from './queue.ts'
import { REDIS_DEFAULTS } from '../../redis/settings.ts'
import { NEEDS_REDIS, startRedisServer } from './testing/redis-server.ts'

describe('Redis is out of memory', NEEDS_REDIS, () => {
  test('jobs that would run last make room, so that the first can be claimed', async () => {
    await using server = await startRedisServer()
    await using stored = await testDatabase()
    const database = createDatabase({ url: stored.url, applicationName: 'memory', max: 2 })
    const queue = createBullmqQueue({ redis: { ...REDIS_DEFAULTS, url: server.url }, database, logger: testLogger })
    try {
      await queue.start()
      const plugin = pluginName('full')
      await queue.declare([plugin])
      const entries = (count: number, priority: number): QueueEntry[] =>
        Array.from({ length: count }, () => ({ jobId: jobId(randomIds.uuid()), plugin, priority, runAt: null }))
      const first = entries(3, 90)
      await queue.committed(first)
      const used = Number(/used_memory:(\d+)/.exec(await queue.client.info('memory'))?.[1])
      await queue.client.config('SET', 'maxmemory', String(used + 1_000_000))
      for (let batch = 0; batch < 40; batch++) await queue.committed(entries(100, 10))
      assert.equal(await hasRoom(queue.client), false)
      const waiting = (await queue.depths())[0]?.waiting ?? 0
      assert.ok(waiting < 4_003, `${waiting} jobs fit`)
      await assert.rejects(queue.claim(plugin, 3), /OOM/)
      const claims = await queue.claim(plugin, 3)
      assert.equal(claims[0]?.jobId, first[0]?.jobId)
    } finally {
      await queue.stop()
      await database.close()
    }
  })
})
