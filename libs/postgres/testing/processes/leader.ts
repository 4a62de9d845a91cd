/** Stands for the lead on the database in argv[2] until stdin closes. */
import { once } from 'node:events'
import { createLeadership } from '../../leadership.ts'
import { testLogger } from '../test-server.ts'

const leadership = createLeadership({ url: process.argv[2] ?? '', name: 'test', logger: testLogger, checkMs: 200 })
leadership.lead(() => console.log(JSON.stringify({ leads: process.pid })))
console.log(JSON.stringify({ stands: process.pid }))
process.stdin.resume()
await once(process.stdin, 'end')
await leadership.stop()
