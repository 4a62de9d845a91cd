import { redisContenders, redisHttpContenders } from './harness/contenders.ts'
import { http, printHttp } from './harness/http.ts'
import { readOptions } from './harness/options.ts'
import { printRoundTrip, roundTrip } from './harness/round-trip.ts'
import { printScaleOut, scaleOut } from './harness/scale-out.ts'
import { freshGround, startServers } from './harness/servers.ts'
import { table } from './harness/table.ts'
import { judgeScaleOut } from './harness/targets.ts'

const PARTS = ['end-to-end', 'http', 'round-trip'] as const
const options = readOptions()
const wanted = (part: (typeof PARTS)[number]) => options.parts.length === 0 || options.parts.includes(part)
const servers = await startServers()
try {
  if (servers.redis === undefined) throw new Error('No redis-server on this machine (Debian: apt-get install redis-server).')
  const results = {
    ...(wanted('end-to-end') ? { scaleOut: await scaleOut(servers, options) } : {}),
    ...(wanted('http') ? { http: await http(servers, options, redisHttpContenders) } : {}),
    ...(wanted('round-trip') ? { roundTrip: await roundTrip(servers, options, freshGround(servers), redisContenders) } : {}),
  }
  const verdicts = judgeScaleOut(results)
  if (options.json) console.log(JSON.stringify({ options, results, verdicts }, null, 2))
  else {
    if (results.scaleOut) printScaleOut(results.scaleOut, options)
    if (results.http) printHttp(results.http, options)
    if (results.roundTrip) printRoundTrip(results.roundTrip, options)
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
