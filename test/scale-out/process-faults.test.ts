import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startEmbedded } from '../../libs/postgres/embedded.ts'
import { testLogger } from '../../libs/postgres/testing/index.ts'
import { NEEDS_REDIS } from '../../libs/queue/bullmq/testing/redis-server.ts'
import { testFolder } from '../cli-process.ts'
import { allEnd, call, ground, submit, until } from './setup.ts'
import { tcpProxy } from './tcp-proxy.ts'

const metricsOf = async ({ url }: { readonly url: string }) => (await fetch(`${url}/metrics`)).text()

describe('a process fails', NEEDS_REDIS, () => {
  test('a worker is killed with 50 jobs in hand: another runs them, the history says so', async () => {
    await using at = await ground()
    const api = await at.api()
    const first = await at.worker({ XCORE_TEST_HOLD: 'yes' })
    await submit(api.url, 'hold', 50)
    await until('50 run', async () => /^xcore_worker_slots_busy\{plugin="probe"\} 50$/m.test(await metricsOf(first)))
    first.child.kill('SIGKILL')
    await first.ended
    const second = await at.worker()
    await allEnd(at, 50, 'succeeded', 90)
    const lost = await at.database.run(`select 1 from xcore.event_log where type = 'job.attempt_lost'`)
    assert.equal(lost.length, 50)
    await second.line((line) => line.includes('the worker that ran this attempt was lost'))
    assert.match(await metricsOf(second), /^xcore_jobs_stalled_total\{plugin="probe"\} 50$/m)
  })

  test('the api is killed after the commit and before Redis: the reconciler puts its jobs on the queue', async () => {
    await using at = await ground()
    await using proxy = await tcpProxy(at.redis.port)
    const api = await at.api({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` })
    const worker = await at.worker()
    await call(api.url, 'ping', { wait: 20 })
    proxy.cut()
    // Committed, but Redis never hears of them: these requests hang until the api is killed.
    const pending = Array.from({ length: 20 }, () => call(api.url, 'ping').catch(() => undefined))
    await until('the jobs are committed', async () => {
      const [row] = await at.database.run<{ count: number }>('select count(*)::int as count from xcore.jobs')
      return row?.count === 21
    })
    api.child.kill('SIGKILL')
    await Promise.all(pending)
    await allEnd(at, 21)
    assert.match(await metricsOf(worker), /^xcore_queue_restored_total\{plugin="probe"\} 20$/m)
    await worker.line((line) => line.includes('jobs that Redis did not hold were put on the queue again'))
  })

  test('the network between worker and Redis is cut: its jobs run elsewhere, it takes part again afterwards', async () => {
    await using at = await ground()
    await using proxy = await tcpProxy(at.redis.port)
    const api = await at.api()
    const cutOff = await at.worker({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` })
    await call(api.url, 'ping', { wait: 20 })
    await submit(api.url, 'work', 200, { ms: 500 })
    proxy.cut()
    const other = await at.worker()
    await until('it says so', async () => /^xcore_queue_available 0$/m.test(await metricsOf(cutOff)))
    await cutOff.line((line) => line.includes('the connection to Redis was lost'))
    await allEnd(at, 201, 'succeeded', 90)
    other.child.kill('SIGTERM')
    await other.ended
    proxy.mend()
    assert.equal((await call(api.url, 'ping', { wait: 30 })).status, 200)
    assert.equal((await fetch(`${cutOff.url}/livez`)).status, 200)
    assert.match(await metricsOf(cutOff), /^xcore_queue_available 1$/m)
  })

  test('Postgres is restarted: callers hear 202 or 503, nothing is lost', async () => {
    await using folder = await testFolder()
    const start = (port?: number) => startEmbedded({ dataDir: folder.path, logger: testLogger, ...(port === undefined ? {} : { port }) })
    let server = await start()
    try {
      await using at = await ground({ databaseUrl: server.url })
      const api = await at.api()
      const worker = await at.worker()
      await call(api.url, 'ping', { wait: 20 })
      let accepted = 1
      let stop = false
      const callers = Array.from({ length: 10 }, async () => {
        while (!stop) {
          const { status, body } = await call(api.url, 'work')
          assert.ok(status === 202 || status === 503, `found ${status} ${JSON.stringify(body)}`)
          if (status === 202) accepted++
          else await new Promise((resolve) => setTimeout(resolve, 100))
        }
      })
      await until('some run', async () => accepted > 50)
      await server.stop()
      server = await start(Number(new URL(server.url).port))
      const before = accepted
      await until('it goes on', async () => accepted > before + 50)
      stop = true
      await Promise.all(callers)
      await worker.line((line) => line.includes('outcomes could not be recorded') || line.includes('claiming jobs failed'))
      // A request whose commit was cut off may be there although its caller heard 503.
      const [row] = await at.database.run<{ count: number }>('select count(*)::int as count from xcore.jobs')
      assert.ok((row?.count ?? 0) >= accepted)
      await allEnd(at, row?.count ?? 0, 'succeeded', 90)
    } finally {
      await server.stop()
    }
  })
})
