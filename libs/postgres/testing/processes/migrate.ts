/** Migrates the database in argv[2] with the files in argv[3], once a line arrives on stdin. */
import { once } from 'node:events'
import { migrate } from '../../migrator.ts'
import { testLogger } from '../test-server.ts'

console.log(JSON.stringify({ ready: true }))
process.stdin.resume()
await once(process.stdin, 'end')
console.log(JSON.stringify({ applied: await migrate(process.argv[2] ?? '', { logger: testLogger, dir: process.argv[3] ?? '' }) }))
