import type { JobContext, Transaction } from '@xcore/sdk'
import type { Invocation } from '../../../engine/plugin-port.ts'
import type { Job } from '../../../event-log/index.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { AttemptTransaction } from './job-transaction.ts'

/** What a handler sees of the attempt it runs in. */
export class TrustedJobContext implements JobContext {
  readonly #job: Job
  readonly #pluginLogger: Logger
  readonly #transaction: AttemptTransaction
  #logger: Logger | undefined
  readonly deadline: Date
  readonly signal: AbortSignal

  constructor(invocation: Invocation, pluginLogger: Logger, transaction: AttemptTransaction) {
    this.#transaction = transaction
    this.#job = invocation.job
    this.#pluginLogger = pluginLogger
    this.deadline = invocation.deadline
    this.signal = invocation.signal
  }

  get id(): string {
    return this.#job.id
  }
  get attempt(): number {
    return this.#job.attempt
  }
  get maxAttempts(): number {
    return this.#job.maxAttempts
  }
  get priority(): number {
    return this.#job.priority
  }
  get isReplay(): boolean {
    return this.#job.replayOf !== null
  }
  get replayOf(): string | null {
    return this.#job.replayOf
  }
  get idempotencyKey(): string | null {
    return this.#job.idempotencyKey
  }
  get correlationId(): string {
    return this.#job.correlationId
  }

  // Made when first asked for: most jobs log nothing.
  get logger(): Logger {
    this.#logger ??= this.#pluginLogger.child({ job: this.#job.id, attempt: this.#job.attempt, correlation_id: this.#job.correlationId })
    return this.#logger
  }

  progress(fraction: number): void {
    if (!(fraction >= 0 && fraction <= 1)) throw new RangeError(`job.progress: expected a number from 0 to 1, found ${fraction}`)
    this.logger.debug({ progress: fraction }, 'progress')
  }

  transaction<T>(fn: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#transaction.run(fn)
  }
}
