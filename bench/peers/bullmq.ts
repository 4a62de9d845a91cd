import { randomUUID } from 'node:crypto'
import { Queue, QueueEvents, Worker } from 'bullmq'
import type { ConnectionOptions } from 'bullmq'
import type { Contender, Place } from '../harness/contender.ts'
import { chunks, smallJob } from '../harness/small-jobs.ts'
import { jobsLeft } from '../harness/redis-jobs.ts'
import { Outcomes } from './outcomes.ts'

const QUEUE = 'bench'
const BATCH = 500
const CONCURRENCY = 200

const connection = ({ redisUrl }: Place): ConnectionOptions => ({ url: redisUrl, maxRetriesPerRequest: null })

/** BullMQ alone. With a priority, as every job of ours has one: without, it keeps jobs in a list, which is cheaper. */
const bare = (name: string, options: object): Contender => ({
  name,
  setup: `addBulk ${BATCH}s; each worker with concurrency ${CONCURRENCY}; outcomes not recorded anywhere`,
  needsRedis: true,
  prepare: async () => {},
  async produce(place) {
    const queue = new Queue(QUEUE, { connection: connection(place) })
    await queue.waitUntilReady()
    return {
      async submit(jobs) {
        for (const indexes of chunks(jobs, BATCH)) {
          await queue.addBulk(
            indexes.map((index) => ({
              name: 'noop',
              data: smallJob(index),
              opts: { removeOnComplete: true, jobId: randomUUID(), ...options },
            })),
          )
        }
      },
      close: () => queue.close(),
    }
  },
  async work(place, ran) {
    const worker = new Worker(
      QUEUE,
      async () => {
        ran()
        return { status: 'ok' }
      },
      { connection: connection(place), concurrency: CONCURRENCY },
    )
    worker.on('error', (cause) => console.error('bullmq:', cause))
    await worker.waitUntilReady()
    return { close: () => worker.close() }
  },
  unrecorded: ({ redisUrl }) => jobsLeft(redisUrl, `bull:${QUEUE}`),
  roundTrips: [
    {
      name,
      setup: 'one process, QueueEvents and waitUntilFinished; outcome not recorded',
      async open(place) {
        const queue = new Queue(QUEUE, { connection: connection(place) })
        const events = new QueueEvents(QUEUE, { connection: connection(place) })
        const worker = new Worker(QUEUE, async () => ({ status: 'ok' }), { connection: connection(place), concurrency: CONCURRENCY })
        await Promise.all([events.waitUntilReady(), worker.waitUntilReady()])
        return {
          async once() {
            const job = await queue.add('noop', smallJob(0), { removeOnComplete: 1000, ...options })
            await job.waitUntilFinished(events, 10_000)
          },
          async close() {
            await worker.close()
            await events.close()
            await queue.close()
          },
        }
      },
    },
  ],
})

export const bullmqBare = bare('bullmq-bare', {})
export const bullmqPrioritized = bare('bullmq-prio', { priority: 51 })

export const bullmq: Contender = {
  name: 'bullmq',
  setup: `addBulk ${BATCH}s; one worker, concurrency ${CONCURRENCY}; outcomes INSERTed into Postgres in batches by pressure before the ack`,
  needsRedis: true,

  prepare: (place) => Outcomes.prepare(place.databaseUrl),

  async produce(place) {
    const queue = new Queue(QUEUE, { connection: connection(place) })
    await queue.waitUntilReady()
    return {
      async submit(jobs) {
        for (const indexes of chunks(jobs, BATCH)) {
          await queue.addBulk(indexes.map((index) => ({ name: 'noop', data: smallJob(index), opts: { removeOnComplete: true } })))
        }
      },
      close: () => queue.close(),
    }
  },

  async work(place, ran) {
    const outcomes = new Outcomes(place.databaseUrl)
    const worker = new Worker(
      QUEUE,
      async (job) => {
        ran()
        await outcomes.record(job.id ?? '')
        return { status: 'ok' }
      },
      { connection: connection(place), concurrency: CONCURRENCY },
    )
    worker.on('error', (cause) => console.error('bullmq:', cause))
    await worker.waitUntilReady()
    return {
      async close() {
        await worker.close()
        await outcomes.close()
      },
    }
  },

  unrecorded: (place, jobs) => Outcomes.unrecorded(place.databaseUrl, jobs),

  roundTrips: [
    {
      name: 'bullmq',
      setup: 'one process, QueueEvents and waitUntilFinished; outcome INSERTed into Postgres before the ack',
      async open(place) {
        const queue = new Queue(QUEUE, { connection: connection(place) })
        const events = new QueueEvents(QUEUE, { connection: connection(place) })
        const worker = await bullmq.work(place, () => {})
        await events.waitUntilReady()
        return {
          async once() {
            const job = await queue.add('noop', smallJob(0), { removeOnComplete: 1000 })
            await job.waitUntilFinished(events, 10_000)
          },
          async close() {
            await worker.close()
            await events.close()
            await queue.close()
          },
        }
      },
    },
  ],
}
