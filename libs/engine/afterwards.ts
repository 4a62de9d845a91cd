/** Batches that a queue beside Postgres may still have to hear of before further ones wait for it. */
export const UNTOLD_BATCHES = 16

/**
 * Work that follows a commit and that nobody's answer has to wait for: telling the queue. It is bounded, so that a slow queue slows
 * down who feeds it, and waited for at the end. The work must not reject.
 */
export class Afterwards {
  readonly #most: number
  readonly #running = new Set<Promise<void>>()

  /** `most`: how many may be under way before `follow` waits for one of them. */
  constructor(most: number) {
    this.#most = most
  }

  /** Resolves once fewer than `most` are under way: nearly always at once. */
  async follow(work: Promise<void>): Promise<void> {
    const tracked: Promise<void> = work.finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
    while (this.#running.size >= this.#most) await Promise.race(this.#running)
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}
