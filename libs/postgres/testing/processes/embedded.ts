/** Owns an embedded server on the folder in argv[2] until stdin closes. */
import { once } from 'node:events'
import { startEmbedded } from '../../embedded.ts'
import { testLogger } from '../test-server.ts'

const server = await startEmbedded({ dataDir: process.argv[2] ?? '', durable: false, logger: testLogger })
console.log(JSON.stringify({ url: server.url, pid: server.pid() }))
process.stdin.resume()
await once(process.stdin, 'end')
await server.stop()
