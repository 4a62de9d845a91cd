/** How one item of a batch ended. */
export type Settled<Result> = { readonly ok: true; readonly value: Result } | { readonly ok: false; readonly error: unknown }

export interface PressureBatchOptions {
  readonly maxItems: number
  /** How many flushes may be under way at once. Default 1. */
  readonly lanes?: number
  /** A further flush starts only when so many items wait, so that batches do not shrink as lanes are added. Default: half a batch. */
  readonly laneAt?: number
  /**
   * After a batch of so many items the next one gathers first: it leaves in the first turns of the event loop that bring no further item.
   * Who was answered together asks again together. Default: never.
   */
  readonly gatherFrom?: number
}

/** Turns of the event loop without a new item that end the gathering: one alone may fall between two packets of the same burst. */
const QUIET_TURNS = 2
/** Gathering ends here in any case: with very many callers every turn brings some. */
const MOST_TURNS = 8

interface Pending<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Batches by pressure, not by clock: what arrives while idle is flushed at once (at the end of the event loop's turn, so that
 * requests read from many sockets in one turn travel together), what arrives during a flush forms the next batch.
 * A fixed timer costs latency when idle and throughput when not (measured: 23 ms instead of 1.3 ms at 50 at once).
 */
export class PressureBatch<Item, Result> {
  readonly #flush: (items: readonly Item[]) => Promise<readonly Settled<Result>[]>
  readonly #maxItems: number
  readonly #lanes: number
  readonly #laneAt: number
  readonly #gatherFrom: number
  #lastBatch = 0
  #waiting: Pending<Item, Result>[] = []
  #flying = 0
  #scheduled = false
  #idle: (() => void)[] = []

  /** `flush` answers for each item, in order; when it rejects, all items of the batch are rejected with its error. */
  constructor(flush: (items: readonly Item[]) => Promise<readonly Settled<Result>[]>, options: PressureBatchOptions) {
    this.#flush = flush
    this.#maxItems = options.maxItems
    this.#lanes = options.lanes ?? 1
    this.#laneAt = options.laneAt ?? options.maxItems / 2
    this.#gatherFrom = options.gatherFrom ?? Number.POSITIVE_INFINITY
  }

  /** Items that wait or are being flushed. */
  get busy(): boolean {
    return this.#flying > 0 || this.#waiting.length > 0
  }

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      this.#schedule()
    })
  }

  /** Resolves when nothing waits and nothing is being flushed. */
  drained(): Promise<void> {
    return this.busy ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve()
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0 || !this.#laneFree()) return
    this.#scheduled = true
    if (this.#lastBatch < this.#gatherFrom) setImmediate(() => this.#start())
    else this.#gather(1, 0, this.#waiting.length)
  }

  #gather(turn: number, quiet: number, before: number): void {
    setImmediate(() => {
      const waiting = this.#waiting.length
      const quietNow = waiting > before ? 0 : quiet + 1
      if (quietNow >= QUIET_TURNS || turn >= MOST_TURNS || waiting >= this.#maxItems) this.#start()
      else this.#gather(turn + 1, quietNow, waiting)
    })
  }

  #start(): void {
    this.#scheduled = false
    while (this.#waiting.length > 0 && this.#laneFree()) void this.#fly(this.#waiting.splice(0, this.#maxItems))
  }

  #laneFree(): boolean {
    return this.#flying === 0 || (this.#flying < this.#lanes && this.#waiting.length >= this.#laneAt)
  }

  async #fly(batch: readonly Pending<Item, Result>[]): Promise<void> {
    this.#flying++
    this.#lastBatch = batch.length
    try {
      const results = await this.#flush(batch.map(({ item }) => item))
      batch.forEach(({ resolve, reject }, index) => {
        const result = results[index]
        if (result === undefined) reject(new Error(`a flush of ${batch.length} items answered for ${results.length}`))
        else if (result.ok) resolve(result.value)
        else reject(result.error)
      })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      this.#flying--
      this.#schedule()
      if (!this.busy) for (const resolve of this.#idle.splice(0)) resolve()
    }
  }
}
