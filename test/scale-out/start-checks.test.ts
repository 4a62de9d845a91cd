import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NEEDS_REDIS, startRedisServer } from '../../libs/queue/bullmq/testing/redis-server.ts'
import { runCli, testFolder } from '../cli-process.ts'
import { oldRedis } from './old-redis.ts'
import { refused } from './refused.ts'
import { PROBE, call, ground } from './setup.ts'

describe('what is wrong with Redis is said at the start', NEEDS_REDIS, () => {
  test('nobody there', async () => {
    const { code, stderr } = await refused({ REDIS_URL: 'redis://:secret@127.0.0.1:1' })
    assert.equal(code, 1)
    assert.match(stderr, /Expected a Redis at 127\.0\.0\.1:1, found: .*ECONNREFUSED.*REDIS_URL/s)
    assert.doesNotMatch(stderr, /secret/)
  })

  test('a policy that evicts jobs', async () => {
    await using redis = await startRedisServer(['--maxmemory-policy', 'allkeys-lru', '--maxmemory', '50mb'])
    const { code, stderr } = await refused({ REDIS_URL: redis.url })
    assert.equal(code, 1)
    assert.match(stderr, /expected maxmemory-policy noeviction, found allkeys-lru.*CONFIG SET maxmemory-policy noeviction/s)
  })

  test('a version that is too old, also to the doctor', async () => {
    await using redis = await oldRedis('5.0.14')
    const { code, stderr } = await refused({ REDIS_URL: redis.url })
    assert.equal(code, 1)
    assert.match(stderr, /Redis at 127\.0\.0\.1:\d+: expected Redis 6\.2 or newer, found version 5\.0\.14\. Upgrade Redis/)
    await using folder = await testFolder()
    await folder.write(PROBE)
    const doctor = await runCli(['doctor'], { cwd: folder.path, env: { REDIS_URL: redis.url } })
    assert.notEqual(doctor.code, 0)
    assert.match(doctor.stdout, /expected Redis 6\.2 or newer, found version 5\.0\.14/)
  })

  test('wrong credentials, and the right ones with a user and a database number', async () => {
    await using redis = await startRedisServer(['--requirepass', 'other', '--user', 'xcore', 'on', '>pass', '~*', '&*', '+@all'])
    const without = await refused({ REDIS_URL: redis.url })
    assert.match(without.stderr, /NOAUTH.*Put the user and password/s)
    const wrong = await refused({ REDIS_URL: `redis://xcore:wrong@127.0.0.1:${redis.port}` })
    assert.match(wrong.stderr, /WRONGPASS.*Put the user and password/s)
    assert.equal(wrong.code, 1)
    await using at = await ground()
    const url = `redis://xcore:pass@127.0.0.1:${redis.port}/3`
    const api = await at.api({ REDIS_URL: url })
    await at.worker({ REDIS_URL: url })
    assert.equal((await call(api.url, 'ping', { wait: 20 })).status, 200)
  })

  test('a database that Redis does not have', async () => {
    await using redis = await startRedisServer(['--databases', '4'])
    const { code, stderr } = await refused({ REDIS_URL: `${redis.url}/4` })
    assert.equal(code, 1)
    assert.match(
      stderr,
      /Expected a Redis at 127\.0\.0\.1:\d+\/4, found: ERR DB index is out of range\. .*put one below its setting `databases`/s,
    )
  })

  test('a topology that is not what it was said to be', async () => {
    await using redis = await startRedisServer()
    const { stderr } = await refused({ REDIS_URL: redis.url, XCORE_REDIS_TOPOLOGY: 'cluster' })
    assert.match(stderr, /Redis at .*127\.0\.0\.1/)
    await using clustered = await startRedisServer(['--cluster-enabled', 'yes'])
    const alone = await refused({ REDIS_URL: clustered.url })
    assert.match(alone.stderr, /expected redis\.topology cluster, found redis\.topology standalone/)
  })

  test('bullmq without a Redis', async () => {
    const { code, stderr } = await refused({ XCORE_QUEUE_DRIVER: 'bullmq' })
    assert.equal(code, 2)
    assert.match(stderr, /bullmq needs a Redis\. Set REDIS_URL/)
  })
})
