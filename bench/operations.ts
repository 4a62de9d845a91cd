import { createWriteStream } from 'node:fs'
import { createAuthorize } from '../apps/api/auth.ts'
import { createLogger, createMetrics, startSpan } from '../libs/telemetry/index.ts'

// What observing costs: keys checked a second, a scrape with 100 plugins, a span without an SDK, the log line of an attempt.
// Times of the processor, the best of ten rounds.

function best(work: () => void): number {
  let least = Infinity
  for (let round = 0; round < 10; round++) {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, user + system)
  }
  return least
}

const TIMES = 20_000
const micros = (work: () => void): number => best(() => repeat(work)) / TIMES
function repeat(work: () => void): void {
  for (let index = 0; index < TIMES; index++) work()
}

const keys = Array.from({ length: 50 }, (_, index) => ({ name: `key-${index}`, scopes: ['call'] as const, key: `secret-${index}` }))
const authorize = createAuthorize(keys)
const perCheck = micros(() => void authorize({ authorization: 'Bearer secret-49' }, 'call'))
console.log(`key checks, 50 keys       ${Math.round(1e6 / perCheck)} a second`)

const attributes = { 'messaging.system': 'xcore', 'messaging.operation.name': 'process', 'messaging.destination.name': 'shop' }
const span = (parent: string | undefined) => () => startSpan({ name: 'process shop', kind: 'consumer', parent, attributes }).end()
console.log(`span, no SDK, no trace    ${micros(span(undefined)).toFixed(2)} µs`)
console.log(`span, no SDK, in a trace  ${micros(span('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')).toFixed(2)} µs`)

const logger = createLogger({ level: 'info', destination: createWriteStream('/dev/null') })
const line = { plugin: 'shop', job: '0198c0de-0000-7000-8000-000000000001', attempt: 1, outcome: 'succeeded', seconds: 0.01 }
console.log(`log line of an attempt    ${micros(() => logger.info(line, 'attempt finished')).toFixed(2)} µs`)

const metrics = createMetrics({ processMetrics: true })
const labels = { plugin: 'plugin-0', name: 'create', outcome: 'succeeded' }
console.log(`observation               ${micros(() => metrics.jobRunSeconds.observe(labels, 0.1)).toFixed(2)} µs`)
for (let index = 0; index < 100; index++) {
  const plugin = `plugin-${index}`
  for (const outcome of ['succeeded', 'retry']) metrics.jobRunSeconds.observe({ plugin, name: 'create', outcome }, 0.1)
  metrics.jobWaitSeconds.observe({ plugin }, 0.1)
  metrics.jobEndToEndSeconds.observe({ plugin }, 0.1)
}
for (const accept of [undefined, 'application/openmetrics-text']) {
  let least = Infinity
  let bytes = 0
  for (let round = 0; round < 20; round++) {
    const before = process.cpuUsage()
    bytes = (await metrics.render(accept)).body.length
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / 1000)
  }
  console.log(`scrape, 100 plugins       ${least.toFixed(1)} ms, ${Math.round(bytes / 1000)} kB ${accept ?? 'text'}`)
}
