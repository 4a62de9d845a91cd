import type { Channel } from '../wire/channel.ts'
import { TokenBucket } from './buckets.ts'

/** Of frames that no job answers: calls, log lines, numbers. Beyond it the host stops reading for a while. */
const FRAMES_PER_SECOND = 20_000
/** Calls that may wait for the host at once; more are left in the socket. */
const MAX_CALLS = 1_000

/** How fast a sandbox is listened to. What it sends faster stays in the socket, and then in the sandbox's own memory. */
export class Flow {
  readonly #channel: Channel
  readonly #frames = new TokenBucket(FRAMES_PER_SECOND, FRAMES_PER_SECOND, performance.now())
  #calls = 0
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
    if (this.#frames.take(performance.now())) return
    this.#pause()
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#resume()
      },
      this.#frames.waitFor(FRAMES_PER_SECOND / 10),
    )
    this.#timer.unref()
  }

  callBegan(): void {
    this.#calls += 1
    if (this.#calls >= MAX_CALLS) this.#pause()
  }

  callEnded(): void {
    this.#calls -= 1
    if (this.#paused && this.#calls < MAX_CALLS / 2) this.#resume()
  }

  #pause(): void {
    this.#paused = true
    this.#channel.pause()
  }

  #resume(): void {
    if (this.#calls >= MAX_CALLS || this.#timer !== undefined) return
    this.#paused = false
    this.#channel.resume()
  }
}
