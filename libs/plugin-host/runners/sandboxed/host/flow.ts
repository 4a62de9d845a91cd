import type { Channel } from '../wire/channel.ts'
import { TokenBucket } from './buckets.ts'

/** Of frames that no job answers: calls, log lines, numbers. Beyond it the host stops reading for a while. */
const FRAMES_PER_SECOND = 20_000
/** Reads of the socket: a frame may come byte by byte, and each piece costs the host a turn. */
const READS_PER_SECOND = 50_000
/** Calls that may wait for the host at once, and what they may bring together; more is left in the socket. */
const MAX_CALLS = 1_000
const MAX_CALL_BYTES = 32 * 1024 * 1024

/** How fast a sandbox is listened to. What it sends faster stays in the socket, and then in the sandbox's own memory. */
export class Flow {
  readonly #channel: Channel
  readonly #frames = new TokenBucket(FRAMES_PER_SECOND, FRAMES_PER_SECOND, performance.now())
  readonly #reads = new TokenBucket(READS_PER_SECOND, READS_PER_SECOND, performance.now())
  #calls = 0
  #callBytes = 0
  #paused = false
  #timer: NodeJS.Timeout | undefined

  constructor(channel: Channel) {
    this.#channel = channel
  }

  get paused(): boolean {
    return this.#paused
  }

  /** One more frame has come. */
  took(): void {
    if (!this.#frames.take(performance.now())) this.#rest(this.#frames.waitFor(FRAMES_PER_SECOND / 10))
  }

  /** One more piece of frames has come. */
  read(): void {
    if (!this.#reads.take(performance.now())) this.#rest(this.#reads.waitFor(READS_PER_SECOND / 10))
  }

  callBegan(bytes: number): void {
    this.#calls += 1
    this.#callBytes += bytes
    if (this.#isFull) this.#pause()
  }

  callEnded(bytes: number): void {
    this.#calls -= 1
    this.#callBytes -= bytes
    if (this.#paused && this.#calls < MAX_CALLS / 2 && this.#callBytes < MAX_CALL_BYTES / 2) this.#resume()
  }

  get #isFull(): boolean {
    return this.#calls >= MAX_CALLS || this.#callBytes >= MAX_CALL_BYTES
  }

  #rest(ms: number): void {
    this.#pause()
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#resume()
    }, ms)
    this.#timer.unref()
  }

  #pause(): void {
    this.#paused = true
    this.#channel.pause()
  }

  #resume(): void {
    if (this.#isFull || this.#timer !== undefined) return
    this.#paused = false
    this.#channel.resume()
  }
}
