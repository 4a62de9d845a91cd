import type { Transaction } from '@xcore/sdk'
import type { HandlerResult } from '../../../engine/plugin-port.ts'
import type { JobTransaction } from '../../../engine/plugin-transaction.ts'
import { XCoreError } from '../../../errors/index.ts'
import { outside } from './running.ts'

/**
 * The transaction of one attempt: none until the handler first asks for it, then one for all that it asks. It stays open until the
 * handler's outcome is known, and goes to the engine with it.
 */
export class AttemptTransaction {
  readonly #begin: (() => Promise<JobTransaction>) | null
  readonly #signal: AbortSignal
  #opening: Promise<JobTransaction> | undefined
  #open: JobTransaction | undefined
  #inside = false
  #current: Promise<unknown> | undefined
  #over = false

  constructor(begin: (() => Promise<JobTransaction>) | null, signal: AbortSignal) {
    this.#begin = begin
    this.#signal = signal
  }

  run<T>(fn: (tx: Transaction) => Promise<T>): Promise<T> {
    const running = this.#run(fn)
    this.#current = running
    return running
  }

  async #run<T>(fn: (tx: Transaction) => Promise<T>): Promise<T> {
    if (typeof fn !== 'function') throw bad(`expected a function, found ${typeof fn}: job.transaction(async (tx) => …)`)
    if (this.#inside) throw bad('it is open already; use the tx that its function was given, and await one call before the next')
    if (this.#over) throw bad('the handler has ended; await it in the handler')
    this.#signal.throwIfAborted()
    this.#inside = true
    try {
      const transaction = await (this.#opening ??= this.#start())
      return await transaction.run(fn)
    } finally {
      this.#inside = false
    }
  }

  /** What the handler returned, with the transaction if it is to commit with it. */
  async conclude(result: HandlerResult): Promise<HandlerResult> {
    const unfinished = this.#inside
    this.#over = true
    if (this.#opening === undefined) return result
    const commits = result.kind === 'ok' || (result.kind === 'error' && !result.retryable && result.error.code !== 'invalid_result')
    if (unfinished || !commits || this.#signal.aborted) {
      await this.abandon()
      if (!unfinished) return result
      const message = 'The handler ended while its job.transaction was still open; await it. What it wrote was rolled back.'
      return { kind: 'threw', error: { code: 'handler_error', message } }
    }
    const transaction = await this.#opening.catch(() => undefined)
    return transaction === undefined ? result : { ...result, transaction }
  }

  /** Nothing of it is left. */
  async abandon(): Promise<void> {
    this.#over = true
    // That the handler did not wait for it is told as the attempt's failure.
    this.#current?.catch(() => {})
    const transaction = this.#open ?? (await this.#opening?.catch(() => undefined))
    if (this.#inside) transaction?.abort()
    else await transaction?.rollback()
  }

  async #start(): Promise<JobTransaction> {
    const begin = this.#begin
    if (begin === null) throw new XCoreError('service_unknown', 'job.transaction needs the db service, which this host does not have')
    try {
      const transaction = await outside(begin)
      this.#open = transaction
      // Given up: whatever runs in it must not go on, let alone be waited for.
      if (this.#signal.aborted) transaction.abort()
      else this.#signal.addEventListener('abort', () => !this.#settling && transaction.abort(), { once: true })
      return transaction
    } catch (error) {
      // The next call may be luckier.
      this.#opening = undefined
      throw error
    }
  }

  get #settling(): boolean {
    return this.#over && !this.#inside
  }
}

function bad(what: string): XCoreError {
  return new XCoreError('bad_request', `job.transaction: ${what}`)
}
