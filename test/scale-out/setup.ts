import assert from 'node:assert/strict'
import { createDatabase } from '../../libs/postgres/database.ts'
import type { PooledDatabase } from '../../libs/postgres/database.ts'
import { testDatabase } from '../../libs/postgres/testing/index.ts'
import { startRedisServer } from '../../libs/queue/bullmq/testing/redis-server.ts'
import type { RedisTestServer } from '../../libs/queue/bullmq/testing/redis-server.ts'
import { startCli, testFolder } from '../cli-process.ts'
import type { RunningCli, TestFolder } from '../cli-process.ts'

const PLUGIN = `
import { TrustedBase, action, ok } from '@xcore/sdk'

const wait = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms)
  signal.addEventListener('abort', () => { clearTimeout(timer); resolve() })
})

export default class Probe extends TrustedBase {
  override actions = {
    ping: action({ handler: async (payload) => ok({ pid: process.pid, n: payload.n ?? 0 }) }),
    work: action({ handler: async (payload, job) => { await wait(payload.ms ?? 20, job.signal); return ok({ pid: process.pid }) } }),
    cached: action({ handler: async () => {
      const cache = this.getService('cache')
      await cache.mset({ a: 1, b: 2 })
      return ok({ found: await cache.mget(['a', 'b']), keys: (await cache.keys('*')).length })
    } }),
    flaky: action({ handler: async (_payload, job) => { if (job.attempt < 2) throw new Error('not yet'); return ok() } }),
    hold: action({ handler: async (_payload, job) => {
      if (process.env.XCORE_TEST_HOLD === 'yes') await wait(600_000, job.signal)
      return ok({ pid: process.pid })
    } }),
  }
}
`
export const PROBE = {
  'plugins/probe/plugin.yaml':
    'name: probe\nversion: 1.0.0\nresources:\n  timeout_seconds: 900\nconcurrency: 50\nruntime:\n  retry:\n    max_attempts: 4\n    backoff_seconds: 0.2\n    max_backoff_seconds: 1\n',
  'plugins/probe/src/main.ts': PLUGIN,
}

export interface Ground extends AsyncDisposable {
  readonly redis: RedisTestServer
  readonly folder: TestFolder
  readonly database: PooledDatabase
  readonly databaseUrl: string
  readonly env: Readonly<Record<string, string>>
  api(env?: Record<string, string>): Promise<RunningCli>
  worker(env?: Record<string, string>, args?: readonly string[]): Promise<RunningCli>
}

/** A Redis, a database and a folder with a plugin; processes that are started on it end with it. */
export async function ground(
  options: { readonly redisArgs?: readonly string[]; readonly files?: Record<string, string>; readonly databaseUrl?: string } = {},
): Promise<Ground> {
  await using stack = new AsyncDisposableStack()
  const redis = stack.use(await startRedisServer(options.redisArgs))
  const folder = stack.use(await testFolder())
  await folder.write({ ...PROBE, ...options.files })
  const databaseUrl = options.databaseUrl ?? stack.use(await testDatabase()).url
  const database = createDatabase({ url: databaseUrl, applicationName: 'scale-out test', max: 4 })
  stack.defer(() => database.close())
  const env = { XCORE_HTTP_PORT: '0', XCORE_WORKER_METRICS_PORT: '0', DATABASE_URL: databaseUrl, REDIS_URL: redis.url }
  const own = stack.move()
  const start = async (args: readonly string[], more: Record<string, string>) =>
    own.use(await startCli(args, { cwd: folder.path, env: { ...env, ...more } }))
  return {
    redis,
    folder,
    database,
    databaseUrl,
    env,
    api: (more = {}) => start(['api'], more),
    worker: (more = {}, args = []) => start(['worker', ...args], more),
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  }
}

export interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

export async function call(
  url: string,
  action: string,
  options: { payload?: object; wait?: number; delay?: number; plugin?: string } = {},
): Promise<Answer> {
  const { payload = {}, wait, delay, plugin = 'probe' } = options
  const response = await fetch(`${url}/ipc/${plugin}/${action}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(wait === undefined ? {} : { prefer: `wait=${wait}` }) },
    body: JSON.stringify({ payload, ...(delay === undefined ? {} : { delay_seconds: delay }) }),
    signal: AbortSignal.timeout(70_000),
  })
  return { status: response.status, body: Object(await response.json()) }
}

/** Submits that many at the same time; all are accepted. */
export async function submit(url: string, action: string, count: number, payload: object = {}, plugin = 'probe'): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: count }, (_, n) => call(url, action, { payload: { n, ...payload }, plugin })))
  for (const { status, body } of answers) assert.equal(status, 202, JSON.stringify(body))
  return answers.map(({ body }) => String(body['job_id']))
}

/** Asks until the answer is yes: the outcome of other processes has no signal but the database. */
export async function until(what: string, ask: () => Promise<boolean>, seconds = 60): Promise<void> {
  const end = Date.now() + seconds * 1000
  while (!(await ask())) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export async function states(database: PooledDatabase): Promise<Record<string, number>> {
  const rows = await database.run<{ state: string; count: number }>('select state, count(*)::int as count from xcore.jobs group by state')
  return Object.fromEntries(rows.map((row) => [row.state, row.count]))
}

/** Every job that was accepted ends in this state, exactly once by the log. */
export async function allEnd(at: Ground, accepted: number, state = 'succeeded', seconds = 60): Promise<void> {
  let seen: Record<string, number> = {}
  await until(`${accepted} jobs ${state}`, async () => ((seen = await states(at.database)), seen[state] === accepted), seconds).catch(
    (error: unknown) => {
      throw new Error(`found ${JSON.stringify(seen)}`, { cause: error })
    },
  )
  assert.deepEqual(await states(at.database), { [state]: accepted })
  const twice = await at.database.run(
    `select stream from xcore.event_log where type in ('job.succeeded', 'job.failed', 'job.dead', 'job.cancelled') group by stream having count(*) > 1`,
  )
  assert.deepEqual(twice, [])
}
