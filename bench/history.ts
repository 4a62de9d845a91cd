import { xcore } from './harness/contenders.ts'
import { history, printHistory } from './harness/history.ts'
import { readOptions } from './harness/options.ts'
import { startServers } from './harness/servers.ts'

const options = readOptions()
const servers = await startServers()
try {
  const result = await history(xcore, servers, options)
  if (options.json) console.log(JSON.stringify(result, null, 2))
  else printHistory(result)
} finally {
  await servers.stop()
}
