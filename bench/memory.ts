import { xcore } from './harness/contenders.ts'
import { memory, printMemory } from './harness/memory.ts'
import { readOptions } from './harness/options.ts'
import { startServers } from './harness/servers.ts'

const options = readOptions()
const servers = await startServers()
try {
  const result = await memory(xcore, servers, options)
  if (options.json) console.log(JSON.stringify(result, null, 2))
  else printMemory(result)
} finally {
  await servers.stop()
}
