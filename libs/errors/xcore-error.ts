import type { ErrorCode } from './catalogue.ts'

/** One place in some input that is not as it should be. */
export interface Issue {
  /** JSON pointer or file position, e.g. `/payload/amount` or `plugin.yaml:12`. Empty: the whole input. */
  readonly path: string
  /** What was expected and what was found. */
  readonly message: string
}

export interface XCoreErrorOptions {
  readonly cause?: unknown
  readonly issues?: readonly Issue[]
  /** After how many seconds the same call may succeed (HTTP: `Retry-After`). */
  readonly retryAfterSeconds?: number
  readonly details?: Readonly<Record<string, unknown>>
}

/**
 * An expected failure. `code` is stable and listed in the catalogue; the message says what was expected,
 * what was found, where, and what to do about it. Knows nothing of HTTP: apps/api maps codes to statuses.
 */
export class XCoreError extends Error {
  override readonly name = 'XCoreError'
  readonly code: ErrorCode
  readonly issues: readonly Issue[]
  readonly retryAfterSeconds: number | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: XCoreErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.issues = options.issues ?? []
    this.retryAfterSeconds = options.retryAfterSeconds
    this.details = options.details ?? {}
  }
}

/** The message of whatever was thrown, also when it is not an Error. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name
  if (typeof thrown === 'string') return thrown
  try {
    return JSON.stringify(thrown) ?? String(thrown)
  } catch {
    return Object.prototype.toString.call(thrown)
  }
}
