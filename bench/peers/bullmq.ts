import { Queue, QueueEvents, Worker } from 'bullmq'
import type { ConnectionOptions } from 'bullmq'
import type { Contender, Place } from '../harness/contender.ts'
import { chunks, smallJob } from '../harness/small-jobs.ts'
import { Outcomes } from './outcomes.ts'

const QUEUE = 'bench'
const BATCH = 500
const CONCURRENCY = 200

const connection = ({ redisUrl }: Place): ConnectionOptions => ({ url: redisUrl, maxRetriesPerRequest: null })

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
