import { endToEnd, printEndToEnd } from './harness/end-to-end.ts'
import { readOptions } from './harness/options.ts'
import { startServers } from './harness/servers.ts'

const options = readOptions()
const servers = await startServers()
try {
  const results = await endToEnd(servers, options)
  if (options.json) console.log(JSON.stringify(results, null, 2))
  else printEndToEnd(results, options)
} finally {
  await servers.stop()
}
