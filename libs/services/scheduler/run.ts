import type { Notifications } from '../../postgres/notifications.ts'
import type { Statement } from '../../postgres/sql.ts'
import { fireDue } from './fire.ts'
import type { FireOptions } from './fire.ts'

export interface SchedulerOptions extends FireOptions {
  readonly notifications: Pick<Notifications, 'listen' | 'onReconnect'>
  readonly clock: { now(): number }
  /** How often the table is looked at without a hint. Default 5,000. */
  readonly pollMs?: number
}

const NEXT: Statement = {
  name: 'schedules_next',
  text: `select min(due_at) as due_at from xcore.schedules where not paused and due_at is not null`,
}
const PAUSE_AFTER_ERROR_MS = 1_000

/**
 * Fires the schedules of all plugins until `signal` aborts. Run by the elected process; should two run for a moment, each firing still
 * happens once (fire.ts). It sleeps until the next one is due, a change is announced, or the poll that finds what was not.
 */
export async function runScheduler(options: SchedulerOptions, signal: AbortSignal): Promise<void> {
  const { database, clock, logger, notifications } = options
  let wake = () => {}
  let woken = false
  const hint = () => {
    woken = true
    wake()
  }
  const off = [notifications.listen('xcore_schedules', hint), notifications.onReconnect(hint)]
  signal.addEventListener('abort', hint, { once: true })
  try {
    while (!signal.aborted) {
      woken = false
      await sleep(await step())
    }
  } finally {
    for (const end of off) end()
    signal.removeEventListener('abort', hint)
  }

  /** Fires, and says how long there is nothing to do, in milliseconds. */
  async function step(): Promise<number> {
    try {
      const fired = await fireDue(options, clock.now())
      if (fired.schedules > 0) return 0
      const [row] = await database.query<{ due_at: Date | null }>(NEXT)
      const poll = options.pollMs ?? 5_000
      const dueAt = row?.due_at
      return dueAt === null || dueAt === undefined ? poll : Math.min(poll, Math.max(0, dueAt.getTime() - clock.now()))
    } catch (err) {
      if (!signal.aborted) logger.warn({ err }, 'schedules could not be fired; it is tried again')
      return PAUSE_AFTER_ERROR_MS
    }
  }

  function sleep(milliseconds: number): Promise<void> {
    if (woken || signal.aborted || milliseconds <= 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(done, Math.ceil(milliseconds))
      wake = done
      function done() {
        clearTimeout(timer)
        wake = () => {}
        resolve()
      }
    })
  }
}
