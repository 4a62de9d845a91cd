/** Runs a test server until stdin closes, that is until the process that started it has ended, however it ended. */
import { once } from 'node:events'
import { startTestServer } from '../test-server.ts'

const server = await startTestServer()
process.stdout.write(server.url)
process.stdout.end()
process.stdin.resume()
process.on('SIGINT', () => {})
await once(process.stdin, 'end')
await server.stop()
