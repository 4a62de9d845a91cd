import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDatabase } from '../libs/postgres/database.ts'
import { testDatabase } from '../libs/postgres/testing/index.ts'
import { runCli, startCli, testFolder } from './cli-process.ts'
import type { TestFolder } from './cli-process.ts'

const PLUGIN = `
import { existsSync } from 'node:fs'
import { TrustedBase, Type, action, error, ok } from '@xcore/sdk'

const Order = Type.Object({ n: Type.Number(), ...(process.env.XCORE_TEST_STRICT === 'yes' ? { email: Type.String() } : {}) })

export default class Shop extends TrustedBase {
  override async onLoad() {
    this.ctx.events.on('order.placed', this.onPlaced, { id: 'placed' })
  }
  async onPlaced() {}
  override actions = {
    order: action({ input: Order, handler: async ({ n }, job) => {
      if (!existsSync('open')) return error('order ' + n + ' was refused', { code: 'closed' })
      await this.ctx.events.emit('order.placed', { n })
      return ok({ replay: job.isReplay })
    } }),
    charge: action({ handler: async () => error('no money', { code: 'declined' }) }),
    ...(process.env.XCORE_TEST_STRICT === 'yes' ? {} : { old: action({ handler: async () => error('gone soon', { code: 'closed' }) }) }),
  }
}
`
const FILES = {
  'plugins/shop/plugin.yaml': 'name: shop\nversion: 1.0.0\nconcurrency: 50\nactions:\n  charge:\n    replay: unsafe\n',
  'plugins/shop/src/main.ts': PLUGIN,
}
const ENV = { XCORE_HTTP_PORT: '0', XCORE_WORKER_METRICS_PORT: '0' }

async function shopFolder(): Promise<TestFolder> {
  const folder = await testFolder()
  await folder.write(FILES)
  return folder
}

async function call(url: string, action: string, payload: object): Promise<string> {
  const response = await fetch(`${url}/ipc/shop/${action}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'wait=20' },
    body: JSON.stringify({ payload }),
  })
  return Object(await response.json()).job_id
}

test('the command line shows what failed, plans, asks, replays and tells the story', async () => {
  await using folder = await shopFolder()
  await using database = await testDatabase()
  const env = { ...ENV, DATABASE_URL: database.url }
  let url = ''
  const xcore = (...args: string[]) => runCli(args, { cwd: folder.path, env: { XCORE_URL: url } })
  const json = async (...args: string[]) => {
    const { stdout, stderr } = await xcore(...args, '--json')
    assert.notEqual(stdout, '', stderr)
    return JSON.parse(stdout)
  }
  let first = ''
  {
    await using service = await startCli(['start'], { cwd: folder.path, env })
    url = service.url
    first = await call(url, 'order', { n: 1 })
    await Promise.all([2, 3, 4, 5].map((n) => call(url, 'order', { n })))
    await call(url, 'charge', {})
    await call(url, 'old', {})
    const { failures } = await json('failures')
    const orders = failures.find((group: { name: string }) => group.name === 'order')
    assert.deepEqual([orders.count, orders.message], [5, 'order <n> was refused'])
    assert.match((await xcore('failures')).stdout, /shop\/order +closed/)

    const plan = await json('replay', '--plugin', 'shop', '--since', '2h', '--dry-run')
    assert.deepEqual([plan.matched, plan.to_replay, plan.unsafe], [7, 6, 1])
    const one = await json('replay', '--fingerprint', orders.error_fingerprint, '--where', 'n=3', '--dry-run')
    assert.equal(one.matched, 1)
    const unasked = await xcore('replay', '--plugin', 'shop')
    assert.equal(unasked.code, 2)
    assert.match(unasked.stdout, /left out +1 are marked/)
    assert.match(unasked.stderr, /Say --yes/)
    assert.equal((await xcore('replay')).code, 2)
    const none = await xcore('replay', '--plugin', 'nobody', '--yes')
    assert.deepEqual([none.code, /nothing to replay/.test(none.stderr)], [1, true])

    await folder.write({ open: '' })
    const single = await json('replay', first, '--reason', 'open again', '--payload', '{"n": 100}')
    assert.equal(single.replay_of, first)
    let replayed = await json('jobs', 'show', single.job_id)
    while (replayed.job.finished_at === null) replayed = await json('jobs', 'show', single.job_id)
    assert.equal(replayed.job.result.replay, true)
    const bulk = await xcore('replay', '--name', 'order', '--code', 'closed', '--rate', '500', '--yes', '--reason', 'open again')
    assert.equal(bulk.code, 0, bulk.stderr)
    assert.match(bulk.stdout, /completed: 4 succeeded, 0 failed, 1 left out/)
    const [replay] = (await json('replays')).replays
    assert.deepEqual([replay.state, replay.reason, replay.name], ['completed', 'open again', 'name=order error_code=closed'])
    assert.match((await xcore('replays', 'show', replay.replay_id)).stdout, /4 succeeded/)
    const late = await xcore('replays', 'pause', replay.replay_id)
    assert.deepEqual([late.code, /replay_finished/.test(late.stderr)], [1, true])

    const story = (await xcore('jobs', 'show', first)).stdout
    assert.match(story, /job\.failed +attempt 1 .* closed: order 1 was refused/)
    assert.match(story, new RegExp(`replays\\n.* ${single.job_id} +succeeded`))
    assert.match(
      (await xcore('jobs', 'show', single.job_id)).stdout,
      /job\.payload_edited +\{"n":100\}[^]*caused\nevent order\.placed\n {2}shop\/order\.placed +succeeded/,
    )
    service.child.kill('SIGTERM')
    assert.equal(await service.ended, 0)
  }
  // A later version of the plugin asks for more, and has dropped an action.
  await using service = await startCli(['start'], { cwd: folder.path, env: { ...env, XCORE_TEST_STRICT: 'yes' } })
  url = service.url
  const plan = await json('replay', '--code', 'closed', '--dry-run')
  assert.deepEqual([plan.to_replay, plan.left_out, plan.unhandled[0].name], [0, { already_succeeded: 5, unhandled: 1 }, 'old'])
  const succeeded = await json('replay', '--state', 'succeeded', '--name', 'order', '--dry-run')
  assert.deepEqual([succeeded.to_replay, succeeded.left_out.invalid], [0, 5])
  assert.deepEqual(succeeded.invalid[0].errors, [{ path: '/payload/email', message: 'is required, found nothing' }])
  const refused = await xcore('replay', first)
  assert.deepEqual([refused.code, /validation_error/.test(refused.stderr), /\/payload\/email/.test(refused.stderr)], [1, true, true])
  service.child.kill('SIGTERM')
  assert.equal(await service.ended, 0)
})

test('a bulk replay survives kill -9 of the process that carries it out, and enqueues no item twice', async () => {
  await using folder = await shopFolder()
  await folder.write({ open: '' })
  await using database = await testDatabase()
  const env = { ...ENV, DATABASE_URL: database.url }
  const items = 1_500
  await using sql = {
    db: createDatabase({ url: database.url, applicationName: 'xcore-test' }),
    [Symbol.asyncDispose]: () => sql.db.close(),
  }
  await sql.db.run(
    `insert into xcore.jobs (id, kind, plugin, name, state, attempt, priority, max_attempts, payload, error, error_code, requested_at, run_at,
      finished_at, correlation_id, plugin_version)
    select id, 'action', 'shop', 'order', 'failed', 1, 50, 3, '{"n": 1}', '{"code": "closed", "message": "closed"}', 'closed', now(), now(),
      date_trunc('milliseconds', now()), id, '1.0.0'
    from (select uuidv7() as id from generate_series(1, $1::int)) made`,
    [items],
  )
  const replayOf = async (url: string, id: string) => Object(await (await fetch(`${url}/replays/${id}`)).json())
  let id = ''
  {
    await using service = await startCli(['start'], { cwd: folder.path, env })
    const response = await fetch(`${service.url}/replays`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'all', reason: 'test', filter: { plugin: 'shop' }, rate_per_second: 600 }),
    })
    id = Object(await response.json()).replay_id
    while ((await replayOf(service.url, id)).enqueued === 0);
    service.child.kill('SIGKILL')
    assert.equal(await service.ended, 'SIGKILL')
  }
  const [before] = await sql.db.run<{ n: number }>('select enqueued as n from xcore.replays')
  assert.ok(before !== undefined && before.n > 0 && before.n < items, `${before?.n} were enqueued before the kill`)
  await using again = await startCli(['start'], { cwd: folder.path, env })
  const done = await again.line((line) => line.includes('a bulk replay ended')).then(() => replayOf(again.url, id))
  assert.deepEqual([done.state, done.enqueued, done.succeeded, done.left_out], ['completed', items, items, {}])
  const [count] = await sql.db.run<{ jobs: number; sources: number }>(
    'select count(*)::int as jobs, count(distinct replay_of)::int as sources from xcore.jobs where replay_id = $1',
    [id],
  )
  assert.deepEqual(count, { jobs: items, sources: items })
  again.child.kill('SIGTERM')
  assert.equal(await again.ended, 0)
})
