/**
 * `node bench/refill.ts [COUNT]`: a Redis that lost everything gets COUNT waiting jobs of mixed priorities back (default 100,000): how long
 * it takes, and whether the order is the one that the jobs table asks for. On servers of its own.
 */
import { pluginName } from '../libs/event-log/ids.ts'
import { createDatabase } from '../libs/postgres/database.ts'
import { migrate } from '../libs/postgres/migrator.ts'
import { createBullmqQueue } from '../libs/queue/bullmq/queue.ts'
import { MARK } from '../libs/queue/bullmq/reads.ts'
import { runReconciler } from '../libs/queue/bullmq/reconciler.ts'
import { REDIS_DEFAULTS } from '../libs/redis/settings.ts'
import { fillJobs, inOrder } from '../libs/queue/bullmq/testing/live-jobs.ts'
import { testLogger } from '../libs/postgres/testing/index.ts'
import { inFreshPlace, startServers } from './harness/servers.ts'

const PLUGIN = pluginName('refill')
const ROUNDS = 3
const count = Number(process.argv[2] ?? 100_000)
const servers = await startServers()
try {
  if (servers.redis === undefined) throw new Error('No redis-server on this machine (Debian: apt-get install redis-server).')
  await inFreshPlace(servers, async ({ databaseUrl, redisUrl }) => {
    await using stack = new AsyncDisposableStack()
    const database = createDatabase({ url: databaseUrl, applicationName: 'refill', max: 4 })
    stack.defer(() => database.close())
    await migrate(databaseUrl, { logger: testLogger })
    // A tenth of the requests has finished.
    await fillJobs(database, PLUGIN, Math.ceil((count * 10) / 9), Date.now())
    await database.run('analyze xcore.jobs')
    const queue = createBullmqQueue({ redis: { ...REDIS_DEFAULTS, url: redisUrl }, database, logger: testLogger })
    stack.defer(() => queue.stop())
    await queue.start()
    await queue.declare([PLUGIN])
    const stop = new AbortController()
    const running = runReconciler({ database, queue, logger: testLogger }, stop.signal)
    stack.defer(async () => {
      stop.abort()
      await running
    })
    const key = (type: string) => queue.queueOf(PLUGIN).key(type)
    const order = await inOrder(database, PLUGIN)
    for (let round = 0; round <= ROUNDS; round++) {
      const began = performance.now()
      const cpu = { redis: servers.redis?.cpuSeconds() ?? 0, postgres: servers.postgres.cpuSeconds(), node: process.cpuUsage() }
      while ((await queue.client.hget(key('meta'), MARK)) === null) await new Promise((resolve) => setTimeout(resolve, 50))
      const seconds = (performance.now() - began) / 1000
      const node = process.cpuUsage(cpu.node)
      const found = await queue.client.zrange(key('prioritized'), '0', '-1')
      const wrong = order.filter((id, index) => found[index] !== id).length
      console.log(
        `${round === 0 ? 'first fill' : `after FLUSHALL ${round}`}: ${found.length} waiting, ${await queue.client.zcard(key('delayed'))} delayed in ${seconds.toFixed(1)} s;` +
          ` ${wrong} not in their place; CPU s: node ${((node.user + node.system) / 1e6).toFixed(1)},` +
          ` Redis ${((servers.redis?.cpuSeconds() ?? 0) - cpu.redis).toFixed(1)}, Postgres ${(servers.postgres.cpuSeconds() - cpu.postgres).toFixed(1)}`,
      )
      await queue.client.flushall()
    }
  })
} finally {
  await servers.stop()
}
