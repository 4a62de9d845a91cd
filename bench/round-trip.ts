import { roundTrip, printRoundTrip } from './harness/round-trip.ts'
import { readOptions } from './harness/options.ts'
import { startServers } from './harness/servers.ts'

const options = readOptions()
const servers = await startServers()
try {
  const results = await roundTrip(servers, options)
  if (options.json) console.log(JSON.stringify(results, null, 2))
  else printRoundTrip(results, options)
} finally {
  await servers.stop()
}
