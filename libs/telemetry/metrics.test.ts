import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { asksForOpenMetrics } from './exposition.ts'
import { METRIC_CATALOGUE, createMetrics } from './index.ts'
import type { Metrics } from './index.ts'

describe('metrics', () => {
  test('every metric of the catalogue is registered under its key, and no other', () => {
    const metrics = createMetrics()
    const names = metrics.registry.getMetricsAsArray().map(({ name }) => name)
    assert.deepEqual(
      names.sort(),
      Object.values(METRIC_CATALOGUE)
        .map(({ name }) => name)
        .sort(),
    )
    for (const key of Object.keys(METRIC_CATALOGUE)) assert.ok(Object.hasOwn(metrics, key), key)
  })

  test('names carry the prefix, keys are the names in camelCase, labels are never ids', () => {
    for (const [key, { name, labels }] of Object.entries(METRIC_CATALOGUE)) {
      assert.equal(name, `xcore_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`)
      for (const label of labels) assert.doesNotMatch(label, /(^|_)id$/)
    }
  })

  test('counts, observes and sets', async () => {
    const metrics = createMetrics()
    metrics.rateLimitedTotal.inc({ plugin: 'a' })
    metrics.rateLimitedTotal.inc({ plugin: 'a' }, 2)
    metrics.jobWaitSeconds.observe({ plugin: 'a' }, 0.02)
    metrics.queueJobs.set({ plugin: 'a', state: 'held' }, 7)
    const text = await metrics.text()
    assert.match(text, /^xcore_rate_limited_total\{plugin="a"\} 3$/m)
    assert.match(text, /^xcore_job_wait_seconds_bucket\{le="0.025",plugin="a"\} 1$/m)
    assert.match(text, /^xcore_job_wait_seconds_bucket\{le="0.01",plugin="a"\} 0$/m)
    assert.match(text, /^xcore_queue_jobs\{plugin="a",state="held"\} 7$/m)
    metrics.queueJobs.clear()
    assert.doesNotMatch(await metrics.text(), /^xcore_queue_jobs\{/m)
  })

  test('default labels are on every line', async () => {
    const metrics = createMetrics({ defaultLabels: { process: 'worker' } })
    metrics.rateLimitedTotal.inc({ plugin: 'a' })
    assert.match(await metrics.text(), /^xcore_rate_limited_total\{plugin="a",process="worker"\} 1$/m)
  })

  test('past the cap, new label values become _other; known ones stay', async () => {
    const metrics = createMetrics({ labelLimit: 2 })
    for (const plugin of ['a', 'b', 'c', 'd', 'a']) metrics.jobsStalledTotal.inc({ plugin })
    const series = (await metrics.text()).split('\n').filter((line) => line.startsWith('xcore_jobs_stalled_total{'))
    assert.deepEqual(series, [
      'xcore_jobs_stalled_total{plugin="a"} 2',
      'xcore_jobs_stalled_total{plugin="b"} 1',
      'xcore_jobs_stalled_total{plugin="_other"} 2',
    ])
  })

  test('the cap of one metric does not take room from another', async () => {
    const metrics = createMetrics({ labelLimit: 1 })
    metrics.jobsStalledTotal.inc({ plugin: 'a' })
    metrics.rateLimitedTotal.inc({ plugin: 'b' })
    assert.match(await metrics.text(), /^xcore_rate_limited_total\{plugin="b"\} 1$/m)
  })

  test('odd numbers never throw: negative times count as 0, what is no number is left out', async () => {
    const metrics = createMetrics()
    metrics.jobWaitSeconds.observe({ plugin: 'a' }, -3)
    metrics.jobWaitSeconds.observe({ plugin: 'a' }, Number.NaN)
    metrics.rateLimitedTotal.inc({ plugin: 'a' }, -1)
    const text = await metrics.text()
    assert.match(text, /^xcore_job_wait_seconds_sum\{plugin="a"\} 0$/m)
    assert.match(text, /^xcore_job_wait_seconds_count\{plugin="a"\} 1$/m)
    assert.doesNotMatch(text, /^xcore_rate_limited_total\{/m)
  })

  test('collectors run before each rendering until they are taken off', async () => {
    const metrics = createMetrics()
    let calls = 0
    const off = metrics.onCollect(() => {
      calls += 1
      metrics.workerSlots.set({ plugin: 'a' }, calls)
    })
    assert.match(await metrics.text(), /^xcore_worker_slots\{plugin="a"\} 1$/m)
    off()
    assert.match(await metrics.text(), /^xcore_worker_slots\{plugin="a"\} 1$/m)
  })

  test('a failing collector does not keep the other metrics from being read', async () => {
    const metrics = createMetrics()
    metrics.rateLimitedTotal.inc({ plugin: 'a' })
    metrics.onCollect(() => Promise.reject(new Error('database away')))
    metrics.onCollect(() => {
      throw new Error('also away')
    })
    assert.match(await metrics.text(), /^xcore_rate_limited_total\{plugin="a"\} 1$/m)
  })

  test('process metrics are exported when asked for', async () => {
    const text = await createMetrics({ processMetrics: true }).text()
    assert.match(text, /^process_cpu_seconds_total /m)
    assert.match(text, /^nodejs_eventloop_lag_seconds /m)
  })

  test('the content type is the one of the text format', () => {
    assert.match(createMetrics().contentType, /^text\/plain; version=0\.0\.4/)
  })
})

const promtool = spawnSync('promtool', ['--version']).error === undefined

describe('exposition', () => {
  const OPENMETRICS =
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5'
  const TRACE = '0af7651916cd43dd8448eb211c80319c'

  test('OpenMetrics when the Accept header names it: exemplars, counters by family, an end; the text format stays as it was', async () => {
    const metrics = createMetrics({ defaultLabels: { process: 'worker' } })
    metrics.rateLimitedTotal.inc({ plugin: 'a' })
    metrics.jobWaitSeconds.observe({ plugin: 'a' }, 0.02, TRACE)
    metrics.jobWaitSeconds.observe({ plugin: 'a' }, 0.03)
    const before = await metrics.render('text/plain')
    for (let round = 0; round < 2; round++) {
      const { body, contentType } = await metrics.render(OPENMETRICS)
      assert.match(contentType, /^application\/openmetrics-text; version=1\.0\.0/)
      assert.match(body, /^# TYPE xcore_rate_limited counter$/m)
      assert.match(body, /^xcore_rate_limited_total\{plugin="a",process="worker"\} 1$/m)
      assert.match(
        body,
        new RegExp(`^xcore_job_wait_seconds_bucket\\{le="0\\.025".*\\} 1 # \\{trace_id="${TRACE}"\\} 0\\.02 [\\d.]+$`, 'm'),
      )
      assert.match(body, /\n# EOF\n$/)
    }
    const after = await metrics.render(undefined)
    assert.equal(after.body, before.body)
    assert.match(after.contentType, /^text\/plain/)
    assert.doesNotMatch(after.body, /trace_id/)
  })

  test('what asks for OpenMetrics', () => {
    assert.ok(asksForOpenMetrics(OPENMETRICS))
    assert.ok(asksForOpenMetrics('Application/OpenMetrics-Text'))
    for (const accept of [undefined, '', '*/*', 'text/plain', 'application/openmetrics-text; q=0'])
      assert.ok(!asksForOpenMetrics(accept), String(accept))
  })

  test('promtool finds nothing to complain about', { skip: promtool ? false : 'promtool is not installed' }, async () => {
    const metrics = createMetrics({ processMetrics: true })
    fill(metrics, 2)
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: await metrics.text(), encoding: 'utf8' })
    assert.equal(`${stdout}${stderr}`, '')
    assert.equal(status, 0)
  })

  test('100 plugins render in less than 20 ms', async () => {
    const metrics = createMetrics({ processMetrics: true })
    fill(metrics, 100)
    const times: number[] = []
    for (let round = 0; round < 20; round++) {
      const before = process.cpuUsage()
      await metrics.text()
      const { user, system } = process.cpuUsage(before)
      times.push((user + system) / 1000)
    }
    // Time of the processor, and the best of them: the others tell of what else this machine does.
    assert.ok(Math.min(...times) < 20, `${Math.min(...times)} ms`)
  })
})

/** One action a plugin. */
function fill(metrics: Metrics, plugins: number): void {
  for (let index = 0; index < plugins; index++) {
    const plugin = `plugin-${index}`
    metrics.jobRunSeconds.observe({ plugin, name: 'create', outcome: 'succeeded' }, 0.1)
    metrics.jobsFinishedTotal.inc({ plugin, kind: 'action', name: 'create', outcome: 'succeeded' })
    metrics.jobsSubmittedTotal.inc({ plugin, kind: 'action', source: 'http' })
    metrics.jobWaitSeconds.observe({ plugin }, 0.1)
    metrics.jobEndToEndSeconds.observe({ plugin }, 0.1)
    for (const state of ['queued', 'scheduled', 'active']) metrics.queueJobs.set({ plugin, state }, 1)
    metrics.queueOldestWaitingSeconds.set({ plugin }, 1)
    metrics.workerSlots.set({ plugin }, 10)
    metrics.workerSlotsBusy.set({ plugin }, 1)
  }
}
