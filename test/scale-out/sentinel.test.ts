import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NEEDS_REDIS } from '../../libs/queue/bullmq/testing/redis-server.ts'
import { startSentinel } from '../../libs/queue/bullmq/testing/redis-sentinel.ts'
import { refused } from './refused.ts'
import { allEnd, call, ground, submit, until } from './setup.ts'

describe('Redis behind Sentinel', NEEDS_REDIS, () => {
  test('the master is killed in mid-run: the replica takes over, nothing is lost, work goes on', async () => {
    await using sentinel = await startSentinel()
    await using at = await ground()
    const env = { REDIS_URL: `${sentinel.url}/2`, XCORE_REDIS_TOPOLOGY: 'sentinel', XCORE_REDIS_SENTINEL_NAME: sentinel.name }
    const api = await at.api(env)
    const worker = await at.worker(env)
    assert.equal((await call(api.url, 'ping', { wait: 20 })).status, 200)
    // The cache of plugins is behind the same sentinel.
    assert.equal((await call(api.url, 'cached', { wait: 20 })).status, 200)
    await submit(api.url, 'work', 300, { ms: 400 })
    await sentinel.master.stop()
    await submit(api.url, 'ping', 50)
    assert.equal(await sentinel.failedOver(sentinel.master.port), sentinel.replica.port)
    await worker.line((line) => line.includes('the connection to Redis is back'))
    await until('the metric tells', async () => /^xcore_queue_available 1$/m.test(await (await fetch(`${api.url}/metrics`)).text()))
    await submit(api.url, 'ping', 50)
    await allEnd(at, 402)
    assert.equal((await call(api.url, 'cached', { wait: 20 })).status, 200)
    assert.match(worker.lines.join('\n'), /the connection to Redis was lost/)
  })

  test('a name that the sentinel does not know, and no sentinel at all: said at the start', async () => {
    await using sentinel = await startSentinel()
    const unknown = await refused({ REDIS_URL: sentinel.url, XCORE_REDIS_TOPOLOGY: 'sentinel', XCORE_REDIS_SENTINEL_NAME: 'other' })
    assert.equal(unknown.code, 1)
    assert.match(unknown.stderr, /Expected a Redis at sentinel 127\.0\.0\.1:\d+, found: .*XCORE_REDIS_SENTINEL_NAME/s)
    const plain = await refused({ REDIS_URL: sentinel.master.url, XCORE_REDIS_TOPOLOGY: 'sentinel' })
    assert.match(plain.stderr, /Expected a Redis at sentinel 127\.0\.0\.1:\d+, found: .*unknown command.*name sentinels/s)
  })
})
