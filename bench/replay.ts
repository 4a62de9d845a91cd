/**
 * `node bench/replay.ts [COUNT]`: a bulk replay of COUNT failed jobs (default 100,000), unpaced, with nobody running them: how many are
 * selected, checked, logged and put on the queue per second, and how much memory it takes. On an embedded Postgres of its own.
 */
import { TEST_SERVER_VARIABLE, startTestServer } from '../libs/postgres/testing/test-server.ts'
import { done, testPlugins } from '../libs/engine/testing/plugins.ts'
import { carryingOut, insertFinished } from '../libs/engine/testing/replays.ts'
import { testEngine } from '../libs/engine/testing/running.ts'

const count = Number(process.argv[2] ?? 100_000)
const MB = 1024 * 1024
await using stack = new AsyncDisposableStack()
const given = process.env[TEST_SERVER_VARIABLE]
if (given === undefined) {
  const server = await startTestServer()
  stack.defer(() => server.stop())
  process.env[TEST_SERVER_VARIABLE] = server.url
}
const t = stack.use(await testEngine(testPlugins({ shop: { handlers: { order: () => done() } } }), { consume: false }))
await insertFinished(t.database, count, { plugin: 'shop', name: 'order', state: 'failed' })
await t.database.run('analyze xcore.jobs')
const request = {
  name: 'bench',
  reason: 'bench',
  actor: 'bench',
  selection: { kind: 'jobs', filter: { plugin: 'shop', errorCode: 'busy' } },
} as const

let started = performance.now()
const plan = await t.engine.replays.plan(request)
report('dry run', plan.toReplay, started)

global.gc?.()
const before = process.memoryUsage()
let peak = before.rss
const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20)
stack.use(carryingOut(t.engine))
started = performance.now()
const { id } = await t.engine.replays.start(request)
// One look a second: counting outcomes is work of its own.
const ticks = setInterval(() => void t.engine.replays.get(id).then((replay) => console.error(`  ${replay?.progress.enqueued ?? 0}`)), 1_000)
await enqueued(id)
report('enqueued', count, started)
clearInterval(watch)
clearInterval(ticks)
console.log(`memory: ${Math.round(before.rss / MB)} MB before, ${Math.round(peak / MB)} MB at most`)

async function enqueued(replay: string): Promise<void> {
  const sql = { name: 'bench_selected', text: 'select selected_at is not null as done from xcore.replays where id = $1::uuid' }
  for (;;) {
    const [row] = await t.database.query<{ done: boolean }>(sql, [replay])
    if (row?.done === true) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function report(what: string, items: number, from: number): void {
  const seconds = (performance.now() - from) / 1000
  console.log(`${what}: ${items} in ${seconds.toFixed(2)} s, ${Math.round(items / seconds)}/s`)
}
