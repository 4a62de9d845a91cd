import { Logger, makeWorkerUtils, run } from 'graphile-worker'
import type { Contender, Place } from '../harness/contender.ts'
import { chunks, smallJob } from '../harness/small-jobs.ts'
import { Outcomes } from './outcomes.ts'

const TASK = 'noop'
const BATCH = 500
const CONCURRENCY = 500

const quiet = new Logger(() => () => {})

export const graphileWorker: Contender = {
  name: 'graphile-worker',
  setup: `addJobs ${BATCH}s; localQueue ${BATCH}, concurrency ${CONCURRENCY}, completion batched by tick; outcomes INSERTed in batches by pressure`,
  needsRedis: false,

  async prepare(place) {
    const utils = await open(place)
    await utils.migrate()
    await utils.release()
    await Outcomes.prepare(place.databaseUrl)
  },

  async produce(place) {
    const utils = await open(place)
    return {
      async submit(jobs) {
        for (const indexes of chunks(jobs, BATCH))
          await utils.addJobs(indexes.map((index) => ({ identifier: TASK, payload: smallJob(index) })))
      },
      close: async () => utils.release(),
    }
  },

  async work(place, ran) {
    const outcomes = new Outcomes(place.databaseUrl)
    const runner = await run({
      preset: {
        worker: {
          connectionString: place.databaseUrl,
          logger: quiet,
          concurrentJobs: CONCURRENCY,
          maxPoolSize: 10,
          pollInterval: 100,
          localQueue: { size: BATCH },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
      noHandleSignals: true,
      crontab: '',
      taskList: {
        async [TASK](_payload, { job }) {
          ran()
          await outcomes.record(job.id)
        },
      },
    })
    return {
      async close() {
        await runner.stop()
        await outcomes.close()
      },
    }
  },

  unrecorded: (place, jobs) => Outcomes.unrecorded(place.databaseUrl, jobs),

  // Its senders have no way to learn of an outcome, and its batching trades latency away.
  roundTrips: [],
}

function open(place: Place) {
  return makeWorkerUtils({ connectionString: place.databaseUrl, logger: quiet })
}
