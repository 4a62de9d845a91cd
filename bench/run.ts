import { cpus, release } from 'node:os'
import { contenders, xcore } from './harness/contenders.ts'
import { endToEnd, printEndToEnd } from './harness/end-to-end.ts'
import { history, printHistory } from './harness/history.ts'
import { http, printHttp } from './harness/http.ts'
import { memory, printMemory } from './harness/memory.ts'
import { readOptions } from './harness/options.ts'
import { printRoundTrip, roundTrip } from './harness/round-trip.ts'
import { printSdk, sdk } from './harness/sdk.ts'
import { startServers } from './harness/servers.ts'
import { table } from './harness/table.ts'
import { judge } from './harness/targets.ts'
import type { Results } from './harness/targets.ts'

const PARTS = ['end-to-end', 'http', 'round-trip', 'history', 'memory', 'sdk'] as const
const options = readOptions()
const wanted = (part: (typeof PARTS)[number]) => options.parts.length === 0 || options.parts.includes(part)
const unknown = options.parts.find((part) => !PARTS.some((known) => known === part))
if (unknown !== undefined) throw new Error(`--parts: expected some of ${PARTS.join(', ')}, found ${JSON.stringify(unknown)}`)

const servers = await startServers()
try {
  const machine = {
    cpus: cpus().length,
    cpu: cpus()[0]?.model ?? '?',
    linux: release(),
    node: process.version,
    postgres: servers.postgres.version,
    redis: servers.redis?.version ?? null,
  }
  const results: Results = {
    ...(wanted('end-to-end') ? { endToEnd: await endToEnd(servers, options) } : {}),
    ...(wanted('http') ? { http: await http(servers, options) } : {}),
    ...(wanted('round-trip') ? { roundTrip: await roundTrip(servers, options) } : {}),
    ...(wanted('history') ? { history: await history(xcore, servers, options) } : {}),
    ...(wanted('memory') ? { memory: await memory(xcore, servers, options) } : {}),
    ...(wanted('sdk') ? { sdk: await sdk(servers, options) } : {}),
  }
  const verdicts = judge(results)
  if (options.json) console.log(JSON.stringify({ machine, options, results, verdicts }, null, 2))
  else {
    console.log(
      Object.entries(machine)
        .map(([name, value]) => `${name} ${value}`)
        .join(' · '),
    )
    for (const { name, setup } of contenders) console.log(`  ${name}: ${setup}`)
    if (results.endToEnd) printEndToEnd(results.endToEnd, options)
    if (results.http) printHttp(results.http, options)
    if (results.roundTrip) printRoundTrip(results.roundTrip, options)
    if (results.history) printHistory(results.history)
    if (results.memory) printMemory(results.memory)
    if (results.sdk) printSdk(results.sdk)
    console.log('\nSummary')
    console.log(
      table(
        ['', 'target', 'reached', ''],
        verdicts.map(({ what, target, reached, met }) => [what, target, reached, met ? 'yes' : 'NO']),
      ),
    )
  }
} finally {
  await servers.stop()
}
