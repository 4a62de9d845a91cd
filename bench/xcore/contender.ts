import { Agent, request } from 'node:http'
import { once } from 'node:events'
import { json } from 'node:stream/consumers'
import type { Engine } from '../../libs/engine/index.ts'
import type { Contender, HttpContender, RoundTrip } from '../harness/contender.ts'
import { count } from '../harness/query.ts'
import { RoleProcess } from '../harness/role-process.ts'
import { smallJob } from '../harness/small-jobs.ts'
import { openApi, openBoth, openProducer, openStandalone, openWorker } from './processes.ts'

const IN_FLIGHT = 2_000
const WAIT_MS = 10_000

const inProcess: RoundTrip = {
  name: 'xcore',
  setup: 'one process: submit, then wait',
  async open(place) {
    const { engine, close } = await openBoth(place)
    return {
      async once() {
        const { jobId } = await engine.submit({ ...noop(0), awaited: true })
        expectSucceeded((await engine.wait(jobId, WAIT_MS))?.state)
      },
      close,
    }
  },
}

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

  work: openWorker,

  // The row of a job leaves the queue in the transaction that records its outcome.
  unrecorded: (place) => count(place.databaseUrl, `select count(*)::int as count from pgboss.job where name = 'noop'`),

  roundTrips: [inProcess, overHttp],
}

export const xcoreApi: HttpContender = {
  name: 'xcore',
  setup: '`xcore api`: validated, committed in Postgres with its log',
  needsRedis: false,
  prepare: async () => {},
  serve: openApi,
}

/** Serves the round trip over HTTP; not a contender of its own. */
export const xcoreStandalone: HttpContender = {
  name: 'xcore-start',
  setup: '`xcore start`',
  needsRedis: false,
  prepare: async () => {},
  serve: openStandalone,
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
