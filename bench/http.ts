import { http, printHttp } from './harness/http.ts'
import { readOptions } from './harness/options.ts'
import { startServers } from './harness/servers.ts'

const options = readOptions()
const servers = await startServers()
try {
  const results = await http(servers, options)
  if (options.json) console.log(JSON.stringify(results, null, 2))
  else printHttp(results, options)
} finally {
  await servers.stop()
}
