import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../../telemetry/logger.ts'
import type { ServerProcess } from './server.ts'

export interface Supervisor {
  current(): ServerProcess
  /** Stops the server and keeps it stopped. */
  stop(): Promise<void>
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
/** After this long a server counts as healthy again. */
const HEALTHY_MS = 60_000

/** Starts a server that ended by itself again: at once, then with growing pauses while it keeps ending. */
export function superviseServer(first: ServerProcess, restart: () => Promise<ServerProcess>, logger: Logger): Supervisor {
  const stopping = new AbortController()
  let server = first
  const watching = watch()

  async function watch(): Promise<void> {
    let pause = 0
    for (;;) {
      const startedAt = Date.now()
      await server.ended
      if (stopping.signal.aborted) return
      logger.error({ pid: server.pid }, 'the embedded database ended unexpectedly; starting it again')
      if (Date.now() - startedAt > HEALTHY_MS) pause = 0
      for (;;) {
        if (pause > 0) await delay(pause, undefined, { signal: stopping.signal }).catch(() => {})
        if (stopping.signal.aborted) return
        pause = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pause * 2))
        try {
          server = await restart()
          // Stop was called while the restart was under way.
          if (stopping.signal.aborted) return await server.stop()
          logger.info({ pid: server.pid }, 'the embedded database runs again')
          break
        } catch (error) {
          logger.error({ err: error }, 'the embedded database could not be started again')
        }
      }
    }
  }

  return {
    current: () => server,
    stop: async () => {
      stopping.abort()
      await server.stop()
      await watching
    },
  }
}
