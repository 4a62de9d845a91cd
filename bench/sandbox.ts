/**
 * `node bench/sandbox.ts [--ring permission|uid|bwrap] [--calls N] [--end-to-end] [--json]`: what a sandbox costs beside a trusted
 * plugin. Without --end-to-end no database is used: calls go straight to the plugin.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { live } from '../libs/plugin-host/runners/sandboxed/host/launch.ts'
import { RINGS } from '../libs/plugin-host/runners/sandboxed/host/rings.ts'
import { hostWith, pluginClass } from '../libs/plugin-host/testing/plugin-folder.ts'
import type { PluginText, TestHost } from '../libs/plugin-host/testing/plugin-folder.ts'
import { testEngine } from '../libs/engine/testing/running.ts'
import { median, quantile } from './harness/stats.ts'
import { table } from './harness/table.ts'

const { values } = parseArgs({
  options: {
    ring: { type: 'string' },
    calls: { type: 'string', default: '20000' },
    'end-to-end': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const ring = RINGS.find((each) => each === values.ring)
const calls = Number(values.calls)
const sandbox = ring === undefined ? {} : { ring }
const SANDBOXES = 20
const AT_ONCE = 50

const CODE = pluginClass(`override handle(name) { if (name === 'exit') process.exit(1); return ok({ n: 1 }) }`)
const manifest = (name: string, mode: string) => `name: ${name}\nversion: 1.0.0\nexecution_mode: ${mode}\nconcurrency: 100\n`
const plugin = (name: string, mode: string): PluginText => ({ 'plugin.yaml': manifest(name, mode), 'src/main.ts': CODE })

async function overhead(t: TestHost, name: string): Promise<number[]> {
  for (let warm = 0; warm < 2_000; warm += 1) await t.run(name, 'go')
  const times: number[] = []
  for (let call = 0; call < Math.min(calls, 5_000); call += 1) {
    const began = performance.now()
    await t.run(name, 'go')
    times.push(performance.now() - began)
  }
  return times
}

async function throughput(t: TestHost, name: string): Promise<number> {
  let left = calls
  const lane = async () => {
    while (left > 0) {
      left -= 1
      await t.run(name, 'go')
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return calls / ((performance.now() - began) / 1000)
}

/** From nothing running to the first answer, after the end of the process before it; the bundle is there. */
async function restarts(t: TestHost): Promise<number[]> {
  const times: number[] = []
  for (let round = 0; round < 10; round += 1) {
    await t.run('boxed', 'exit')
    const began = performance.now()
    while ((await t.run('boxed', 'go')).kind !== 'ok') await new Promise((resolve) => setImmediate(resolve))
    times.push(performance.now() - began)
  }
  return times
}

/** Proportional set size: shared pages are counted once, in parts. */
function pssMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? NaN) / 1024
}

async function idleMemory(): Promise<number> {
  const many = Object.fromEntries(Array.from({ length: SANDBOXES }, (_, index) => [`boxed${index}`, plugin(`boxed${index}`, 'sandboxed')]))
  await using _t = await hostWith(many, { sandbox })
  const pids = [...live].map((each) => each.nodePid()).filter((pid) => pid !== undefined)
  return median(pids.map(pssMb))
}

async function endToEnd(t: TestHost, name: string): Promise<number> {
  const found = t.host.find(name)
  if (found === undefined) throw new Error(`${name} is not ready`)
  const directory = { find: (each: string) => (each === name ? found : undefined), runnable: () => [found], refusal: () => undefined }
  await using running = await testEngine(directory)
  const jobs = Math.min(calls, 20_000)
  const submitted = await Promise.all(
    Array.from({ length: jobs }, () =>
      running.engine.submit({ plugin: name, action: 'go', payload: {}, source: 'plugin', delaySeconds: 0 }),
    ),
  )
  const began = performance.now()
  const last = submitted.at(-1)
  for (const { jobId } of submitted.slice(-200)) await running.engine.wait(jobId, 120_000)
  if (last !== undefined) await running.engine.wait(last.jobId, 120_000)
  return jobs / ((performance.now() - began) / 1000)
}

await using t = await hostWith({ trusted: plugin('trusted', 'trusted'), boxed: plugin('boxed', 'sandboxed') }, { sandbox })
const trustedCalls = await overhead(t, 'trusted')
const boxedCalls = await overhead(t, 'boxed')
const trustedRate = await throughput(t, 'trusted')
const boxedRate = await throughput(t, 'boxed')
const starts = await restarts(t)
const memory = await idleMemory()
const result = {
  ring: t.host.status('boxed')?.sandbox?.ring ?? '?',
  overhead_p50_ms: quantile(boxedCalls, 0.5) - quantile(trustedCalls, 0.5),
  overhead_p99_ms: quantile(boxedCalls, 0.99) - quantile(trustedCalls, 0.99),
  trusted_calls_per_second: trustedRate,
  sandboxed_calls_per_second: boxedRate,
  start_to_first_call_ms: median(starts),
  slowest_start_ms: Math.max(...starts),
  idle_pss_mb: memory,
  ...(values['end-to-end'] ? { end_to_end_ratio: (await endToEnd(t, 'boxed')) / (await endToEnd(t, 'trusted')) } : {}),
}
if (values.json) console.log(JSON.stringify(result, null, 2))
else
  console.log(
    table(
      ['', ''],
      Object.entries(result).map(([name, value]) => [name, typeof value === 'number' ? value.toFixed(value < 100 ? 2 : 0) : value]),
    ),
  )
