import { Agent, request } from 'node:http'
import { once } from 'node:events'
import { json } from 'node:stream/consumers'
import type { Engine } from '../../libs/engine/index.ts'
import type { Contender, HttpContender, RoundTrip } from '../harness/contender.ts'
import { count } from '../harness/query.ts'
import { RoleProcess } from '../harness/role-process.ts'
import { smallJob } from '../harness/small-jobs.ts'
import { openApi, openBoth, openProducer, openStandalone, openWorker } from './processes.ts'
import type { Driver } from './processes.ts'
import { jobsLeft } from '../harness/redis-jobs.ts'

const IN_FLIGHT = 2_000
const WAIT_MS = 10_000

const inProcess = (name: string, driver: Driver): RoundTrip => ({
  name,
  setup: 'one process: submit, then wait',
  async open(place) {
    const { engine, close } = await openBoth(place, driver)
    return {
      async once() {
        const { jobId } = await engine.submit({ ...noop(0), awaited: true })
        expectSucceeded((await engine.wait(jobId, WAIT_MS))?.state)
      },
      close,
    }
  },
})

const overHttp: RoundTrip = {
  name: 'xcore-http',
  setup: '`xcore start` in a process of its own, POST /ipc with Prefer: wait over one kept connection',
  async open(place) {
    const { process: server, url } = await RoleProcess.start({ role: 'http', contender: xcoreStandalone.name, place, count: 0 })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const headers = { 'content-type': 'application/json', prefer: `wait=${WAIT_MS / 1000}` }
    const body = JSON.stringify({ payload: smallJob(0) })
    return {
      async once() {
        const call = request(url, { method: 'POST', agent, headers }).end(body)
        const [answer] = await once(call, 'response')
        await json(answer)
        expectSucceeded(answer.statusCode === 200 ? 'succeeded' : `HTTP ${answer.statusCode}`)
      },
      async close() {
        agent.destroy()
        await server.close()
      },
    }
  },
}

export const xcore: Contender = {
  name: 'xcore',
  setup: `submit one by one, ${IN_FLIGHT} in flight (the engine joins them); \`xcore worker\`, concurrency 1000; whole history kept`,
  needsRedis: false,

  // The producer or worker that starts first brings the database up to date.
  prepare: async () => {},

  async produce(place) {
    const { engine, close } = await openProducer(place)
    return { submit: (jobs) => submitAll(engine, jobs), close }
  },

  work: (place, ran) => openWorker(place, ran),

  // The row of a job leaves the queue in the transaction that records its outcome.
  unrecorded: (place) => count(place.databaseUrl, `select count(*)::int as count from pgboss.job where name = 'noop'`),

  roundTrips: [inProcess('xcore', 'pg-boss'), overHttp],
}

export const xcoreApi: HttpContender = {
  name: 'xcore',
  setup: '`xcore api`: validated, committed in Postgres with its log',
  needsRedis: false,
  prepare: async () => {},
  serve: (place) => openApi(place),
}

/** The same with BullMQ on Redis as its queue. */
export const xcoreOnRedis: Contender = {
  name: 'xcore-redis',
  setup: `submit one by one, ${IN_FLIGHT} in flight (the engine joins them); \`xcore worker\` on BullMQ, concurrency 1000; whole history kept`,
  needsRedis: true,
  prepare: async () => {},
  async produce(place) {
    const { engine, close } = await openProducer(place, 'bullmq')
    return { submit: (jobs) => submitAll(engine, jobs), close }
  },
  work: (place, ran) => openWorker(place, ran, 'bullmq'),
  // A job leaves Redis once its outcome is committed.
  unrecorded: ({ redisUrl }) => jobsLeft(redisUrl, 'xcore:{noop}'),
  roundTrips: [inProcess('xcore-redis', 'bullmq')],
}

export const xcoreApiOnRedis: HttpContender = {
  name: 'xcore-redis',
  setup: '`xcore api` on BullMQ: validated, committed in Postgres with its log, added to Redis',
  needsRedis: true,
  prepare: async () => {},
  serve: (place) => openApi(place, 'bullmq'),
}

/** Serves the round trip over HTTP; not a contender of its own. */
export const xcoreStandalone: HttpContender = {
  name: 'xcore-start',
  setup: '`xcore start`',
  needsRedis: false,
  prepare: async () => {},
  serve: (place) => openStandalone(place),
}

function noop(index: number) {
  return { plugin: 'noop', action: 'noop', payload: smallJob(index), source: 'plugin' } as const
}

/** As many callers at once as a bulk import has, each waiting for its own job to be accepted. */
async function submitAll(engine: Engine, jobs: number): Promise<void> {
  let next = 0
  const caller = async () => {
    while (next < jobs) await engine.submit(noop(next++))
  }
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, jobs) }, caller))
}

function expectSucceeded(state: string | undefined): void {
  if (state !== 'succeeded') throw new Error(`expected the job to succeed within ${WAIT_MS} ms, found ${state ?? 'no job'}`)
}
