import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as elapsed } from 'node:timers/promises'
import { createDatabase } from '../../postgres/database.ts'
import { testDatabase } from '../../postgres/testing/index.ts'
import { startRedisCluster } from '../../queue/bullmq/testing/redis-cluster.ts'
import { REDIS_DEFAULTS } from '../../redis/settings.ts'
import { createMemoryCacheStore } from './memory/store.ts'
import { createPostgresCacheStore, sweepCache } from './postgres/store.ts'
import { createRedisCacheStore } from './redis/store.ts'
import { cacheContract } from './testing/contract.ts'
import { REDIS_INSTALLED, startRedis } from './testing/redis-server.ts'
import { testLogger } from '../../postgres/testing/index.ts'

let memoryTime = 0
cacheContract({
  name: 'memory',
  open: async () => ({ store: createMemoryCacheStore(() => memoryTime), close: async () => {} }),
  pass: async (milliseconds) => void (memoryTime += milliseconds),
})

cacheContract({
  name: 'Postgres',
  async open() {
    await using opening = new AsyncDisposableStack()
    const { url } = opening.use(await testDatabase())
    const database = createDatabase({ url, applicationName: 'test' })
    opening.defer(() => database.close())
    const open = opening.move()
    return { store: createPostgresCacheStore(database), close: () => open.disposeAsync() }
  },
  pass: (milliseconds) => elapsed(milliseconds),
})

cacheContract({
  name: 'Redis',
  leftOut: 'redis-server is not installed',
  async open() {
    if (!REDIS_INSTALLED) return undefined
    await using opening = new AsyncDisposableStack()
    const server = opening.use(await startRedis())
    const store = createRedisCacheStore({ redis: { ...REDIS_DEFAULTS, url: server.url }, logger: testLogger })
    opening.defer(() => store.close())
    const open = opening.move()
    return { store, close: () => open.disposeAsync() }
  },
  pass: (milliseconds) => elapsed(milliseconds),
})

cacheContract({
  name: 'Redis Cluster',
  leftOut: 'redis-server is not installed',
  async open() {
    if (!REDIS_INSTALLED) return undefined
    await using opening = new AsyncDisposableStack()
    const { url, nodes } = opening.use(await startRedisCluster())
    const store = createRedisCacheStore({ redis: { ...REDIS_DEFAULTS, url, nodes, topology: 'cluster' }, logger: testLogger })
    opening.defer(() => store.close())
    const open = opening.move()
    return { store, close: () => open.disposeAsync() }
  },
  pass: (milliseconds) => elapsed(milliseconds),
})

test('the sweep deletes what is past its time, in batches', async () => {
  await using home = await testDatabase()
  const database = createDatabase({ url: home.url, applicationName: 'test' })
  try {
    await database.run(
      `insert into xcore.cache select 'p', n::text, '1', now() + case when n % 100 = 0 then interval '1 hour' else interval '-1 s' end
       from generate_series(1, 12000) n`,
    )
    assert.equal(await sweepCache(database, new AbortController().signal), 11_880)
    assert.equal((await createPostgresCacheStore(database).keys('p')).length, 120)
  } finally {
    await database.close()
  }
})

test('Redis that is away is a coded error without the password', async () => {
  const store = createRedisCacheStore({
    redis: { ...REDIS_DEFAULTS, url: 'redis://user:secret@127.0.0.1:1/3' },
    logger: testLogger,
    timeoutMs: 300,
  })
  try {
    await assert.rejects(store.get('p', 'a'), (thrown: unknown) => {
      assert.match(String(thrown), /Expected Redis at 127\.0\.0\.1:1\/3, but: /)
      assert.doesNotMatch(String(thrown), /secret/)
      return Reflect.get(Object(thrown), 'code') === 'redis_unavailable'
    })
  } finally {
    await store.close()
  }
})
