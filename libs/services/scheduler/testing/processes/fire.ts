/** Stands for the lead on the database in argv[2], fires schedules while it leads, tells of it, until stdin closes. */
import { once } from 'node:events'
import { createLeadership } from '../../../../postgres/leadership.ts'
import { testLogger } from '../../../../postgres/testing/test-server.ts'
import { runScheduler } from '../../index.ts'
import { openScheduler } from '../open-scheduler.ts'

const url = process.argv[2] ?? ''
await using scheduler = await openScheduler(url)
const { queue } = scheduler.options
const told = {
  declare: queue.declare.bind(queue),
  enqueue: queue.enqueue.bind(queue),
  committed: async (...[entries]: Parameters<typeof queue.committed>) => {
    if (entries.length > 0) console.log(JSON.stringify({ fired: entries.length }))
    await queue.committed(entries)
  },
}
const leadership = createLeadership({ url, name: 'test', logger: testLogger, checkMs: 100 })
leadership.lead((signal) => runScheduler({ ...scheduler.options, queue: told }, signal))
console.log(JSON.stringify({ stands: process.pid }))
process.stdin.resume()
await once(process.stdin, 'end')
await leadership.stop()
