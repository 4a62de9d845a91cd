/**
 * Batches by pressure: flushes at once when idle, and what arrives during a flush forms the next batch.
 * `add` resolves once its item's flush has.
 */
export class PressureBatch<Item> {
  readonly #flush: (items: readonly Item[]) => Promise<void>
  readonly #limit: number
  #waiting: { item: Item; resolve: () => void; reject: (cause: unknown) => void }[] = []
  #flushing = false

  constructor(limit: number, flush: (items: readonly Item[]) => Promise<void>) {
    this.#limit = limit
    this.#flush = flush
  }

  add(item: Item): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ item, resolve, reject })
    if (!this.#flushing) void this.#drain()
    return promise
  }

  async #drain(): Promise<void> {
    this.#flushing = true
    await Promise.resolve() // what is added in the same tick travels together
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#limit)
      try {
        await this.#flush(batch.map(({ item }) => item))
        for (const { resolve } of batch) resolve()
      } catch (cause) {
        for (const { reject } of batch) reject(cause)
      }
    }
    this.#flushing = false
  }
}
