import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Redis } from 'ioredis'
import { NEEDS_REDIS } from '../../libs/queue/bullmq/testing/redis-server.ts'
import { allEnd, call, ground, submit, until } from './setup.ts'

describe('Redis fails', NEEDS_REDIS, () => {
  test('api and worker apart over Redis: results, retries, delays', async () => {
    await using at = await ground()
    const api = await at.api()
    await at.worker()
    const { status, body } = await call(api.url, 'ping', { wait: 20 })
    assert.equal(status, 200)
    assert.equal(Object(body['result']).status, 'ok')
    assert.equal((await call(api.url, 'flaky', { wait: 30 })).status, 200)
    await call(api.url, 'ping', { delay: 1 })
    await submit(api.url, 'ping', 300)
    await allEnd(at, 303)
  })

  test('FLUSHALL in mid-run: nothing is lost, what runs is not started again', async () => {
    await using at = await ground()
    const api = await at.api()
    const worker = await at.worker()
    await call(api.url, 'ping', { wait: 20 })
    // The mark by which a loss is told is set by the elected process.
    const redis = new Redis(at.redis.url)
    try {
      await until('Redis has its mark', async () => (await redis.hget('xcore:{probe}:meta', 'xcore')) !== null)
      await submit(api.url, 'work', 150, { ms: 1500 })
      await redis.flushall()
    } finally {
      redis.disconnect()
    }
    await submit(api.url, 'ping', 50)
    await allEnd(at, 201)
    const lost = await at.database.run(`select 1 from xcore.event_log where type = 'job.attempt_lost'`)
    assert.equal(lost.length, 0)
    const logs = [...api.lines, ...worker.lines].join('\n')
    assert.match(logs, /Redis had forgotten jobs that run here/)
    assert.match(logs, /put on the queue again/)
    const metrics = (await Promise.all([api, worker].map(async ({ url }) => (await fetch(`${url}/metrics`)).text()))).join('\n')
    assert.match(metrics, /^xcore_queue_restored_total\{plugin="probe"\} [1-9]/m)
  })

  test('Redis is stopped and comes back empty: the api goes on accepting, everything runs afterwards', async () => {
    await using at = await ground()
    const api = await at.api()
    const worker = await at.worker()
    await call(api.url, 'ping', { wait: 20 })
    await submit(api.url, 'work', 200, { ms: 200 })
    await at.redis.stop()
    const started = performance.now()
    await submit(api.url, 'ping', 100)
    assert.ok(performance.now() - started < 8_000, 'accepting without Redis took long')
    const waited = await call(api.url, 'ping', { wait: 1 })
    assert.equal(waited.status, 202)
    await worker.line((line) => line.includes('the connection to Redis was lost'))
    await until('the metric tells', async () => /^xcore_queue_available 0$/m.test(await (await fetch(`${api.url}/metrics`)).text()))
    const ready: unknown = await (await fetch(`${api.url}/readyz?verbose`)).json()
    assert.match(JSON.stringify(ready), /cannot be reached: jobs are accepted and wait/)
    // What waits is counted and listed by Postgres; which of it runs nobody can tell.
    const { queues } = Object(await (await fetch(`${api.url}/admin/queues`)).json())
    assert.ok(queues[0].waiting > 100, JSON.stringify(queues))
    const listed = Object(await (await fetch(`${api.url}/jobs?state=queued&limit=5`)).json())
    assert.equal(listed.jobs.length, 5)
    const active = await fetch(`${api.url}/jobs?state=active`)
    assert.deepEqual([active.status, Object(await active.json()).code], [503, 'queue_unavailable'])
    // Reading jobs works without the queue, too.
    assert.equal((await fetch(`${api.url}/jobs/${String(waited.body['job_id'])}`)).status, 200)
    await new Promise((resolve) => setTimeout(resolve, 10_000 - Math.min(9_000, performance.now() - started)))
    await at.redis.start()
    await allEnd(at, 302, 'succeeded', 90)
  })

  test('Redis is out of memory: the api goes on accepting; once there is room everything runs', async () => {
    await using at = await ground()
    const api = await at.api()
    const redis = new Redis(at.redis.url)
    try {
      await call(api.url, 'ping')
      await until('Redis has its mark', async () => (await redis.hget('xcore:{probe}:meta', 'xcore')) !== null)
      await submit(api.url, 'ping', 100)
      await redis.set('ballast', Buffer.alloc(25_000_000))
      await redis.config('SET', 'maxmemory', '20000000')
      await submit(api.url, 'ping', 200)
      await api.line((line) => line.includes('could not be put on the queue') && line.includes('OOM'))
      await api.line((line) => line.includes('nearly out of memory'))
      assert.equal(await redis.zcard('xcore:{probe}:prioritized'), 101)
      // What waits in Postgres alone is counted, too.
      const { queues } = Object(await (await fetch(`${api.url}/admin/queues`)).json())
      assert.deepEqual([queues[0].plugin, queues[0].waiting, queues[0].active], ['probe', 301, 0])
      const worker = await at.worker()
      await worker.line((line) => line.includes('Redis is out of memory: jobs that would run last'))
      await redis.del('ballast')
      await allEnd(at, 301)
      assert.match([...api.lines, ...worker.lines].join('\n'), /put on the queue again/)
    } finally {
      redis.disconnect()
    }
  })
})
