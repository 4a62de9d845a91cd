import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Queue, Worker } from 'bullmq'
import type { Job } from 'bullmq'
import { jobId, pluginName } from '../../event-log/ids.ts'
import type { JobId } from '../../event-log/ids.ts'
import type { RedisClient } from '../../redis/client.ts'
import { REDIS_DEFAULTS } from '../../redis/settings.ts'
import { BatchConnection, LARGEST_BATCH } from './batch-scripts.ts'
import { queueClient } from './connection.ts'
import { PluginQueue } from './plugin-queue.ts'
import { bullPriority } from './priority.ts'
import { NEEDS_REDIS, startRedisServer } from './testing/redis-server.ts'

const LOCK_MS = 30_000
const SINGLE = 'single'
const MANY = 'many'
const idOf = (n: number) => jobId(`00000000-0000-7000-8000-${String(n).padStart(12, '0')}`)
/** More than fit into one command. */
const IDS = Array.from({ length: LARGEST_BATCH + 20 }, (_, n) => idOf(n))
const PRIORITY = 50
const LATER = idOf(500)

/** Two queues on one Redis: `single` is driven by BullMQ's classes, a command a job, `many` by our batches. */
async function twoQueues() {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await startRedisServer())
  const client = queueClient({ ...REDIS_DEFAULTS, url: server.url }, 'commands')
  await client.connect()
  stack.defer(() => client.disconnect())
  const connection = new BatchConnection(client, { shared: true, blocking: false })
  await connection.client
  const options = { connection: client, prefix: SINGLE, lockDuration: LOCK_MS, skipMetasUpdate: true }
  const queue = new Queue('{p}', options)
  const worker = new Worker('{p}', null, { ...options, autorun: false, removeOnComplete: { count: 0 }, drainDelay: 0.01 })
  stack.defer(() => worker.close())
  stack.defer(() => queue.close())
  const many = new PluginQueue({
    plugin: pluginName('p'),
    prefix: MANY,
    client,
    connection,
    lockMs: LOCK_MS,
    stalledCheckMs: 5_000,
  })
  const owned = stack.move()
  return { client, queue, worker, many, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

describe('batches of BullMQ’s scripts', NEEDS_REDIS, () => {
  test('leave in Redis what single commands leave', async () => {
    await using at = await twoQueues()
    const { client, queue, worker, many } = at
    const options = (id: JobId) => ({ jobId: id, priority: bullPriority(PRIORITY) })
    for (const id of IDS) await queue.add('job', 0, options(id))
    await queue.add('job', 0, { ...options(LATER), delay: 3_600_000 })
    const runAt = Date.now() + 3_600_000
    await many.add([
      ...IDS.map((id) => ({ jobId: id, priority: PRIORITY, runAt: null, attempts: 0 })),
      { jobId: LATER, priority: PRIORITY, runAt, attempts: 0 },
    ])
    assert.deepEqual(await contentOf(client, MANY), await contentOf(client, SINGLE))

    const taken: Job[] = []
    for (let n = 0; n < LARGEST_BATCH; n++) taken.push((await worker.getNextJob('t', { block: false })) ?? assert.fail('no job'))
    const claimed = await many.take('t', LARGEST_BATCH)
    assert.deepEqual(
      claimed.map((job) => job.jobId),
      taken.map((job) => job.id),
    )
    assert.deepEqual(claimed[0], { jobId: IDS[0], priority: PRIORITY, attempts: 0, stalls: 0, token: 't' })
    assert.deepEqual(await contentOf(client, MANY), await contentOf(client, SINGLE))

    for (const job of taken) await job.moveToCompleted('', 't', false)
    assert.deepEqual(await many.finish(claimed.map((job) => ({ jobId: job.jobId, token: 't' }))), [])
    assert.deepEqual(await contentOf(client, MANY), await contentOf(client, SINGLE))
  })

  test('finish what is held under its own token, and name what is not', async () => {
    await using at = await twoQueues()
    const { many } = at
    await many.add(IDS.slice(0, 4).map((id) => ({ jobId: id, priority: PRIORITY, runAt: null, attempts: 0 })))
    await many.take('a', 2)
    await many.take('b', 1)
    const [first, second, third, waiting] = IDS
    assert.ok(first !== undefined && second !== undefined && third !== undefined && waiting !== undefined)
    const refused = await many.finish([
      { jobId: first, token: 'a' },
      { jobId: third, token: 'b' },
      { jobId: second, token: 'b' },
      { jobId: waiting, token: 'a' },
      { jobId: idOf(900), token: 'a' },
    ])
    assert.deepEqual(refused.sort(), [second, waiting, idOf(900)].sort())
    assert.deepEqual(await many.missing(IDS.slice(0, 4)), [first, third])
  })

  test('a batch that asks for more than there is brings what there is', async () => {
    await using at = await twoQueues()
    await at.many.add([{ jobId: idOf(1), priority: PRIORITY, runAt: null, attempts: 2 }])
    assert.deepEqual(await at.many.take('t', LARGEST_BATCH), [{ jobId: idOf(1), priority: PRIORITY, attempts: 2, stalls: 0, token: 't' }])
    assert.deepEqual(await at.many.take('t', LARGEST_BATCH), [])
  })
})

/** Times, and `opts`, to which BullMQ's own `Queue` adds the id and a default. */
const TOLD_APART = new Set(['timestamp', 'processedOn', 'delay', 'opts'])

/** All keys below a prefix with what they hold, but for the stream of events, which nobody reads. */
async function contentOf(client: RedisClient, prefix: string): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for (const key of (await client.keys(`${prefix}:*`)).sort()) {
    const name = key.slice(prefix.length)
    const type = await client.type(key)
    if (type === 'hash') found[name] = comparable(await client.hgetall(key))
    else if (type === 'zset') found[name] = await client.zrange(key, '0', '-1')
    else if (type === 'list') found[name] = await client.lrange(key, 0, -1)
    else if (type === 'set') found[name] = (await client.smembers(key)).sort()
    else found[name] = type === 'stream' ? type : await client.get(key)
  }
  return found
}

function comparable(hash: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(hash).filter(([field]) => !TOLD_APART.has(field)))
}
