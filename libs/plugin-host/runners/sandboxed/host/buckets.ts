/** A token bucket: `burst` at once, `perSecond` in the long run. The clock comes in as data. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #at: number

  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
    this.#at = now
  }

  /** Takes one if there is one. `now`: milliseconds. */
  take(now: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (Math.max(0, now - this.#at) / 1000) * this.#perSecond)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  /** Milliseconds until `count` are there (at most the burst). */
  waitFor(count: number): number {
    return Math.max(0, ((Math.min(count, this.#burst) - this.#tokens) / this.#perSecond) * 1000)
  }
}
