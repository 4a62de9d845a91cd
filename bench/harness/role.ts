/** Entry of every process that the bench starts: plays one role of one contender. Driven by role-process.ts over IPC. */
import { setTimeout as pause } from 'node:timers/promises'
import { contenders, httpServers } from './contenders.ts'
import type { Closable } from './contender.ts'
import type { Assignment, ChildMessage, ParentMessage } from './messages.ts'
import { parseOwnJson } from './own-json.ts'

const assignment = parseOwnJson<Assignment>(process.argv[2] ?? '{}')
const { place, count } = assignment

interface Part extends Closable {
  readonly url?: string
  go?(): Promise<ChildMessage>
  ran?(): number
}

const openers: Record<Assignment['role'], () => Promise<Part>> = {
  async producer() {
    const producer = await contender().produce(place)
    return {
      go: async () => {
        await producer.submit(count)
        return { kind: 'done' }
      },
      close: () => producer.close(),
    }
  },
  async worker() {
    let ran = 0
    const worker = await contender().work(place, () => {
      ran += 1
      if (ran === count) tell({ kind: 'done' })
    })
    return { ran: () => ran, close: () => worker.close() }
  },
  async 'round-trip'() {
    const found = contenders.flatMap(({ roundTrips }) => roundTrips).find(({ name }) => name === assignment.contender)
    if (!found) throw new Error(`no round trip ${assignment.contender}`)
    const trip = await found.open(place)
    return {
      go: async () => {
        for (let warm = 0; warm < 50; warm++) await trip.once()
        const milliseconds: number[] = []
        for (let i = 0; i < count; i++) {
          await pause(2) // low load: each job finds everything idle
          const start = performance.now()
          await trip.once()
          milliseconds.push(performance.now() - start)
        }
        return { kind: 'done', milliseconds }
      },
      close: () => trip.close(),
    }
  },
  async http() {
    const server = httpServers.find((one) => one.name === assignment.contender)
    if (!server) throw new Error(`no HTTP contender ${assignment.contender}`)
    return server.serve(place)
  },
}

function contender() {
  const found = contenders.find((one) => one.name === assignment.contender)
  if (!found) throw new Error(`no contender ${assignment.contender}`)
  return found
}

function tell(message: ChildMessage): void {
  process.send?.(message)
}

function fail(thrown: unknown): void {
  tell({ kind: 'failed', message: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) })
}

async function hear(part: Part, message: ParentMessage): Promise<void> {
  switch (message.kind) {
    case 'go':
      if (part.go) tell(await part.go())
      return
    case 'collect':
      globalThis.gc?.()
      return tell({ kind: 'collected', ran: part.ran?.() ?? 0, heapBytes: process.memoryUsage().heapUsed })
    case 'close':
      await part.close()
      process.disconnect?.()
      return
  }
}

process.on('unhandledRejection', fail)
// The bench has gone, or has been told that all is closed.
process.once('disconnect', () => process.exit())
try {
  const part = await openers[assignment.role]()
  process.on('message', (message: ParentMessage) => void hear(part, message).catch(fail))
  tell(part.url === undefined ? { kind: 'ready' } : { kind: 'ready', url: part.url })
} catch (thrown) {
  fail(thrown)
  process.disconnect?.()
}
