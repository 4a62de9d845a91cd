import { readOptions } from './harness/options.ts'
import { printSdk, sdk } from './harness/sdk.ts'
import { startServers } from './harness/servers.ts'

const options = readOptions()
const servers = await startServers()
try {
  const result = await sdk(servers, options)
  if (options.json) console.log(JSON.stringify(result, null, 2))
  else printSdk(result)
} finally {
  await servers.stop()
}
