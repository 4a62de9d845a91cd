import type { Slots } from './slots.ts'

/** How many jobs of this process wait for an outcome, by the plugin that they wait for. */
export interface OutstandingCalls {
  of(plugin: string): number
  begin(plugin: string): void
  end(plugin: string): void
  /** Calls `listener` when one more waits for the plugin. */
  onBegin(plugin: string, listener: () => void): () => void
}

export function createOutstandingCalls(): OutstandingCalls {
  const counts = new Map<string, number>()
  const listeners = new Map<string, () => void>()
  const add = (plugin: string, by: number) => counts.set(plugin, (counts.get(plugin) ?? 0) + by)
  return {
    of: (plugin) => counts.get(plugin) ?? 0,
    begin(plugin) {
      add(plugin, 1)
      listeners.get(plugin)?.()
    },
    end: (plugin) => void add(plugin, -1),
    onBegin(plugin, listener) {
      listeners.set(plugin, listener)
      return () => {
        if (listeners.get(plugin) === listener) listeners.delete(plugin)
      }
    },
  }
}

export interface SeatsOptions {
  readonly plugin: string
  readonly slots: Slots
  readonly calls: OutstandingCalls
  /** How many jobs of the plugin may run at once, now. */
  readonly concurrency: () => number
  /** There may be room now. */
  readonly onRoom: () => void
  /** How long everybody may wait before one more job is let in; twice as long for each further one. Default 250. */
  readonly stallMs?: number
}

/** One job's place. */
export type Seat = object

/**
 * Who of one plugin runs in this process. A job that waits for the outcome of another one (`callPlugin`) must not keep that one from
 * running, so while it waits
 *
 * - its slot of the worker group is free for others; it takes one again before it goes on;
 * - its place among the plugin's `concurrency` stays taken, so that a burst of callers does not pour into a slow callee all at once,
 * - except that for each job that waits for this very plugin one more may be let in: the one that is waited for, which comes first by
 *   its higher priority;
 * - and when all wait and nothing moves for a while (they wait for each other over other processes), one more is let in at a time.
 *
 * Never more than `concurrency` jobs run without waiting.
 */
export interface Seats {
  /** Jobs that run, those that wait included. */
  readonly taken: number
  /** How many jobs may be claimed now. */
  room(): number
  /** Holds seats and slots for jobs that are being claimed. */
  reserve(count: number): void
  /** Gives back what was reserved and is not used. */
  release(count: number): void
  /** Seats a job on a reserved place. */
  sit(): Seat
  leave(seat: Seat): void
  /** Runs `work`, which waits for a job of the plugin `on`. Resolves or rejects as it does, once the job may go on. */
  whileWaiting<T>(seat: Seat, on: string, work: () => Promise<T>): Promise<T>
  /** Lets jobs whose wait is over go on, as far as there is room. They come before new ones. */
  resume(): void
}

const STALL_MS = 250
const MOST_DOUBLINGS = 5

export function createSeats(options: SeatsOptions): Seats {
  const { plugin, slots, calls, concurrency, onRoom } = options
  const seated = new Set<Seat>()
  /** How many outcomes each one waits for; 0: its wait is over, it has not gone on yet. */
  const waiting = new Map<Seat, number>()
  const resuming: { readonly seat: Seat; readonly go: () => void }[] = []
  let reserved = 0
  let extra = 0
  let stall: NodeJS.Timeout | undefined

  const active = () => seated.size - waiting.size + reserved
  const places = () => concurrency() + calls.of(plugin) + extra

  function begin(seat: Seat): void {
    const before = waiting.get(seat)
    waiting.set(seat, (before ?? 0) + 1)
    if (before !== undefined) return
    slots.give(1)
    onRoom()
    watch()
  }

  function end(seat: Seat): Promise<void> {
    const left = (waiting.get(seat) ?? 1) - 1
    if (!seated.has(seat)) return Promise.resolve()
    waiting.set(seat, left)
    if (left > 0) return Promise.resolve()
    return new Promise((go) => {
      resuming.push({ seat, go })
      resume()
    })
  }

  function resume(): void {
    for (let next = resuming[0]; next !== undefined; next = resuming[0]) {
      // Gone, or it waits for something else by now: it needs no slot.
      const idle = !seated.has(next.seat) || waiting.get(next.seat) !== 0
      if (!idle && (active() >= concurrency() || slots.free <= 0)) return
      resuming.shift()
      if (!idle) {
        waiting.delete(next.seat)
        slots.take(1)
        moved()
      }
      next.go()
    }
  }

  function moved(): void {
    extra = 0
    clearTimeout(stall)
    stall = undefined
    watch()
  }

  function watch(): void {
    if (stall !== undefined || seated.size === 0 || active() > 0) return
    stall = setTimeout(
      () => {
        stall = undefined
        if (seated.size === 0 || active() > 0 || resuming.length > 0) return
        if (seated.size >= places()) {
          extra++
          onRoom()
        }
        watch()
      },
      (options.stallMs ?? STALL_MS) * 2 ** Math.min(extra, MOST_DOUBLINGS),
    )
  }

  return {
    get taken() {
      return seated.size
    },
    room: () => Math.max(0, Math.min(concurrency() - active(), places() - seated.size - reserved, slots.free)),
    reserve(count) {
      reserved += count
      slots.take(count)
    },
    release(count) {
      reserved -= count
      slots.give(count)
    },
    sit() {
      reserved--
      const seat = {}
      seated.add(seat)
      return seat
    },
    leave(seat) {
      if (!seated.delete(seat)) return
      const waited = waiting.delete(seat)
      moved()
      if (!waited) slots.give(1)
      resume()
    },
    async whileWaiting(seat, on, work) {
      if (!seated.has(seat)) return work()
      calls.begin(on)
      begin(seat)
      try {
        return await work()
      } finally {
        calls.end(on)
        await end(seat)
      }
    },
    resume,
  }
}
