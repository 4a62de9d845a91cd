import { setTimeout as pause } from 'node:timers/promises'
import { PgBoss } from 'pg-boss'
import type { Contender, Place } from '../harness/contender.ts'
import { count } from '../harness/query.ts'
import { chunks, smallJob } from '../harness/small-jobs.ts'

const QUEUE = 'bench'
const BATCH = 500
const LANES = 3

async function open({ databaseUrl }: Place, options: { supervise?: boolean; useListenNotify?: boolean } = {}): Promise<PgBoss> {
  const boss = new PgBoss({ connectionString: databaseUrl, max: 6, schedule: false, supervise: false, ...options })
  boss.on('error', (cause) => console.error('pg-boss:', cause))
  await boss.start()
  return boss
}

const stop = (boss: PgBoss) => boss.stop({ graceful: true, timeout: 5_000 })

export const pgBoss: Contender = {
  name: 'pg-boss',
  setup: `insert ${BATCH}s; work: batchSize ${BATCH} × ${LANES}, burst polling, output stored per job`,
  needsRedis: false,

  async prepare(place) {
    const boss = await open(place)
    await boss.createQueue(QUEUE, { notify: true })
    await stop(boss)
  },

  async produce(place) {
    const boss = await open(place)
    return {
      async submit(jobs) {
        for (const indexes of chunks(jobs, BATCH)) {
          await boss.insert(
            QUEUE,
            indexes.map((index) => ({ data: smallJob(index) })),
          )
        }
      },
      close: () => stop(boss),
    }
  },

  async work(place, ran) {
    const boss = await open(place, { supervise: true, useListenNotify: true })
    await boss.work(
      QUEUE,
      {
        batchSize: BATCH,
        localConcurrency: LANES,
        perJobResults: true,
        burstWhenBatchFull: true,
        pollingIntervalSeconds: 0.5,
        notifyPollingIntervalSeconds: 0.5,
      },
      async (jobs) =>
        jobs.map(({ id }) => {
          ran()
          return { id, status: 'completed', output: { status: 'ok' } }
        }),
    )
    return { close: () => stop(boss) }
  },

  unrecorded: (place) => count(place.databaseUrl, `select count(*)::int as count from pgboss.job where state <> 'completed'`),

  roundTrips: [
    {
      name: 'pg-boss',
      setup:
        'one process, LISTEN/NOTIFY; pg-boss tells no sender of an outcome, so the sender looks from when the handler has run until the job is completed',
      async open(place) {
        const boss = await open(place, { useListenNotify: true })
        let ran = Promise.withResolvers<void>()
        await boss.work(QUEUE, { batchSize: 1, localConcurrency: 2, pollingIntervalSeconds: 0.5 }, async () => {
          ran.resolve()
          return { status: 'ok' }
        })
        return {
          async once() {
            ran = Promise.withResolvers()
            const id = await boss.send(QUEUE, smallJob(0))
            if (id === null) throw new Error('pg-boss refused a job')
            await ran.promise
            while ((await boss.findJobs(QUEUE, { id }))[0]?.state !== 'completed') await pause(1)
          },
          close: () => stop(boss),
        }
      },
    },
  ],
}
