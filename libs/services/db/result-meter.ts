import { EventEmitter } from 'node:events'
import { XCoreError } from '../../errors/index.ts'

/** What a row takes in this process besides its bytes on the wire: an object and its place in a list. */
const ROW_BYTES = 48
/** Answers of one pool that may be under way together, in times of one. */
const TOGETHER = 2

/** What the answers of one pool of connections take in this process. */
export class ResultBudget {
  readonly perAnswer: number
  #taken = 0

  constructor(perAnswer: number) {
    this.perAnswer = perAnswer
  }

  get taken(): number {
    return this.#taken
  }

  /** False: it is more than there is. */
  take(bytes: number): boolean {
    this.#taken += bytes
    return this.#taken <= this.perAnswer * TOGETHER
  }

  giveBack(bytes: number): void {
    this.#taken -= bytes
  }
}

/**
 * Measures what one connection is answered, as it comes in: a result is held whole, and a single value may have 1 GB. What is too
 * much is cut off at the socket, before it is read. A connection that this has happened to is of no use any more.
 */
export class ResultMeter implements Disposable {
  readonly #plugin: string
  readonly #budget: ResultBudget
  readonly #off: () => void
  #bytes = 0
  #running = 0
  #isOver = false

  /** `client`: of `pg`; `cut`: ends the connection. */
  constructor(plugin: string, budget: ResultBudget, client: object, cut: () => void) {
    this.#plugin = plugin
    this.#budget = budget
    const { connection, stream } = partsOf(client)
    const take = (bytes: number) => {
      this.#bytes += bytes
      if ((budget.take(bytes) && this.#bytes <= budget.perAnswer) || this.#isOver) return
      this.#isOver = true
      stream.destroy()
      cut()
    }
    const onData = (piece: { readonly length: number }) => take(piece.length)
    const onRow = () => take(ROW_BYTES)
    // Before pg's own listener: what is too much is not even parsed.
    stream.prependListener('data', onData)
    connection.on('dataRow', onRow)
    this.#off = () => {
      stream.removeListener('data', onData)
      connection.removeListener('dataRow', onRow)
    }
  }

  /** A statement is sent. Several may wait their turn on one connection. */
  begin(): void {
    if (this.#running++ === 0) this.#restart()
  }

  /** What it was answered is the plugin's now. */
  end(): void {
    if (--this.#running === 0) this.#restart()
  }

  /** Why a statement failed, when it was cut off. */
  get problem(): XCoreError | undefined {
    if (!this.#isOver) return undefined
    const { perAnswer } = this.#budget
    return new XCoreError(
      'payload_too_large',
      `Postgres answered plugin ${this.#plugin} with more than the ${perAnswer} bytes that a statement of a sandboxed plugin may bring ` +
        `(${TOGETHER * perAnswer} for all that run at once). Use limit, name the columns that you need, or read in pages.`,
    )
  }

  [Symbol.dispose](): void {
    this.#off()
    this.#restart()
  }

  #restart(): void {
    this.#budget.giveBack(this.#bytes)
    this.#bytes = 0
  }
}

interface Parts {
  readonly connection: EventEmitter
  readonly stream: EventEmitter & { destroy(): unknown }
}

// Not among the types of pg; a version that has them no more is noticed at the first connection, not by a result without a limit.
function partsOf(client: object): Parts {
  const connection: unknown = Reflect.get(client, 'connection')
  const stream: unknown = connection instanceof EventEmitter ? Reflect.get(connection, 'stream') : undefined
  if (connection instanceof EventEmitter && isStream(stream)) return { connection, stream }
  throw new XCoreError('internal_error', 'a database connection has no stream to measure: is this another version of pg?')
}

function isStream(value: unknown): value is Parts['stream'] {
  return value instanceof EventEmitter && 'destroy' in value && typeof value.destroy === 'function'
}
