import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { testDatabase } from '../../libs/postgres/testing/index.ts'
import { startCli, testFolder } from '../cli-process.ts'
import { hasPrometheus, startPrometheus } from './prometheus-server.ts'
import { panelQueries, withVariables } from './queries.ts'
import { RULES_FILE, RULES_TEST, rules } from './rules.ts'

const skip = hasPrometheus ? false : 'prometheus is not installed'
const KEY = 'key-of-the-test'
const FILES = {
  'plugins/load/plugin.yaml': `name: load
version: 1.0.0
actions:
  die: { retry: { max_attempts: 2, backoff_seconds: 0.01 } }
  hang: { timeout_seconds: 0.05, retry: { max_attempts: 1 } }
`,
  'plugins/load/src/main.ts': `
    import { TrustedBase, action, error, ok } from '@xcore/sdk'
    export default class Load extends TrustedBase {
      override async onLoad() { this.ctx.events.on('load.*', async () => ok()) }
      override actions = {
        work: action({ handler: async () => { await this.ctx.events.emit('load.done', {}); return ok() } }),
        refuse: action({ handler: async () => error('no', { code: 'refused' }) }),
        die: action({ handler: async () => { throw new Error('it fell over') } }),
        hang: action({ handler: () => new Promise(() => {}) }),
      }
    }`,
  'plugins/limited/plugin.yaml': 'name: limited\nversion: 1.0.0\nresources: { rate_limit: { calls: 1, period_seconds: 1 } }\n',
  'plugins/limited/src/main.ts': `
    import { TrustedBase, action, ok } from '@xcore/sdk'
    export default class Limited extends TrustedBase { override actions = { work: action({ handler: async () => ok() }) } }`,
  'plugins/broken/plugin.yaml': 'name: broken\nversion: one\n',
}

test('promtool accepts the rules, and each fires and stays silent as it should', { skip }, () => {
  for (const args of [
    ['check', 'rules', RULES_FILE],
    ['test', 'rules', RULES_TEST],
  ]) {
    const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' })
    assert.equal(status, 0, `${stdout}${stderr}`)
  }
})

test('a real Prometheus that scrapes an api and a worker under load has data for every panel, and loads every rule', { skip }, async () => {
  await using database = await testDatabase()
  await using folder = await testFolder()
  await folder.write(FILES)
  const env = {
    DATABASE_URL: database.url,
    XCORE_HTTP_PORT: '0',
    XCORE_WORKER_METRICS_PORT: '0',
    XCORE_LOG_LEVEL: 'info',
    XCORE_API_KEYS: `test:call+emit+read+operate:${KEY}`,
  }
  await using api = await startCli(['api'], { cwd: folder.path, env })
  await using worker = await startCli(['worker'], { cwd: folder.path, env })
  const post = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const response = await fetch(api.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
      body: JSON.stringify(body),
    })
    await response.arrayBuffer()
    return response.status
  }
  const traceparent = (round: number) => `00-${(round + 1).toString(16).padStart(32, '0')}-00f067aa0ba902b7-01`
  let round = 0
  /** Takes as long as its jobs do. */
  const load = async () => {
    round += 1
    await Promise.all([
      ...Array.from({ length: 10 }, () => post('/ipc/load/work', {}, { prefer: 'wait=10', traceparent: traceparent(round) })),
      ...['refuse', 'die', 'hang'].map((action) => post(`/ipc/load/${action}`, {}, { prefer: 'wait=10' })),
      post('/ipc/load/work', {}, { 'idempotency-key': 'always-the-same' }),
      post('/ipc/limited/work', {}, { prefer: 'wait=2' }),
      post('/ipc/limited/work', {}, { prefer: 'wait=2' }),
      post('/ipc/load/work', {}, { authorization: 'Bearer guessed' }),
    ])
  }
  await load()
  await using prometheus = await startPrometheus([new URL(api.url).host, new URL(worker.url).host], KEY)
  await load()
  const replayed = await post('/replays', { name: 'proof', reason: 'mended', filter: { plugin: 'load', state: 'failed,dead' } })
  assert.equal(replayed, 201)

  const queries = panelQueries().map((query) => ({ ...query, expr: withVariables(query.expr, '20s') }))
  let missing = queries
  let unwell: readonly string[] = []
  const deadline = performance.now() + 45_000
  do {
    await load()
    const still: typeof missing = []
    for (const query of missing) if (!(await prometheus.query(query.expr)).some((value) => !Number.isNaN(value))) still.push(query)
    missing = still
    const health = await prometheus.ruleHealth()
    assert.equal(health.length, rules().length)
    unwell = health.filter(({ health: each }) => each !== 'ok').map(({ name, error }) => `${name} ${error}`)
  } while ((missing.length > 0 || unwell.length > 0) && performance.now() < deadline)
  assert.deepEqual(
    missing.map(({ panel, expr }) => `${panel}: ${expr}`),
    [],
  )
  assert.deepEqual(unwell, [])
  assert.ok((await prometheus.query('up{job="xcore"}')).every((value) => value === 1))
  assert.ok((await prometheus.query('ALERTS{alertname="XCoreDeadJobs",alertstate="firing"}')).length > 0)
})
