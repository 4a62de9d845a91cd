import { ProtocolViolation } from '../wire/framing.ts'
import type { EndReason } from './end.ts'
import { usageOf } from './usage.ts'

export interface WatchOptions {
  readonly maxMemoryMb: number
  readonly pid: () => number | undefined
  readonly isBusy: () => boolean
  readonly mayPing: () => boolean
  readonly ping: (id: number) => void
  readonly end: (reason: EndReason, message: string) => void
}

const MB = 1024 * 1024
const WATCH_MS = 50
/** An idle sandbox that uses a third of a processor over this time is ended: its timers spin. */
const IDLE_WINDOW_MS = 10_000
const IDLE_CPU_SHARE = 1 / 3
const PING_MS = 2_000
/** Without an answer to a ping for this long, and no job whose timeout would tell. */
const PONG_LIMIT_MS = 10_000

/** Looks at a sandbox every 50 ms: memory, processor time while idle, and whether its event loop still turns. */
export class SandboxWatch {
  readonly #options: WatchOptions
  readonly #timer: NodeJS.Timeout
  readonly #waiting = new Map<number, (answered: boolean) => void>()
  #pingSentAt = 0
  #pinged = 0
  #ponged = 0
  #idleSince = 0
  #idleCpu = 0
  memoryBytes = 0

  constructor(options: WatchOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#look(), WATCH_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
    for (const answered of this.#waiting.values()) answered(false)
  }

  /** Throws ProtocolViolation for an answer to nothing. */
  ponged(id: number): void {
    if (id > this.#pinged) throw new ProtocolViolation('answered a ping that was not sent')
    this.#ponged = Math.max(this.#ponged, id)
    this.#waiting.get(id)?.(true)
  }

  /** Whether it answers within `ms`. */
  answers(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const id = this.#ping()
      const timer = setTimeout(() => done(false), ms)
      const done = (answered: boolean) => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        resolve(answered)
      }
      this.#waiting.set(id, done)
    })
  }

  #look(): void {
    const { pid, maxMemoryMb, end, mayPing } = this.#options
    const found = pid()
    const usage = found === undefined ? undefined : usageOf(found)
    const now = performance.now()
    if (usage !== undefined) {
      this.memoryBytes = usage.memoryBytes
      if (usage.memoryBytes > maxMemoryMb * MB) {
        return end('memory_exceeded', `it used ${Math.ceil(usage.memoryBytes / MB)} MB, more than max_memory_mb (${maxMemoryMb})`)
      }
      this.#lookIdle(usage.cpuSeconds, now)
    }
    if (now - this.#pingSentAt > PING_MS && mayPing()) this.#heartbeat(now)
  }

  #lookIdle(cpuSeconds: number, now: number): void {
    const { isBusy, end } = this.#options
    if (isBusy() || this.#idleSince === 0) {
      this.#idleSince = isBusy() ? 0 : now
      this.#idleCpu = cpuSeconds
      return
    }
    if (now - this.#idleSince < IDLE_WINDOW_MS) return
    const share = (cpuSeconds - this.#idleCpu) / ((now - this.#idleSince) / 1000)
    this.#idleSince = now
    this.#idleCpu = cpuSeconds
    if (share > IDLE_CPU_SHARE)
      end('unresponsive', `it used ${Math.round(share * 100)} % of a processor with nothing to do; look for timers that never end`)
  }

  // A blocked loop with a job is the job's timeout to end.
  #heartbeat(now: number): void {
    if (this.#pinged === this.#ponged) this.#ping()
    else if (!this.#options.isBusy() && now - this.#pingSentAt > PONG_LIMIT_MS) {
      this.#options.end('unresponsive', `it did not answer for ${PONG_LIMIT_MS / 1000} s with nothing to do`)
    }
  }

  #ping(): number {
    this.#pingSentAt = performance.now()
    const id = ++this.#pinged
    this.#options.ping(id)
    return id
  }
}
