export interface HttpErrorOptions {
  /** Default: by the status, e.g. `not_found` for 404. */
  readonly code?: string
  /** Any JSON value. */
  readonly details?: unknown
  readonly cause?: unknown
}

const CODES: Readonly<Record<number, string>> = {
  400: 'bad_request',
  401: 'unauthorized',
  403: 'permission_denied',
  404: 'not_found',
  409: 'conflict',
  413: 'payload_too_large',
  422: 'validation_error',
  429: 'rate_limit_exceeded',
  503: 'not_ready',
  504: 'timeout',
}

/**
 * Thrown in a route: answered with `status`. Thrown in an action or event handler: 4xx is an error result (final), 5xx is
 * retried like any other throw. The message of a 5xx is not shown to callers of routes. Throws RangeError outside 400–599.
 */
export class HttpError extends Error {
  override readonly name: string = 'HttpError'
  readonly status: number
  readonly statusCode: number
  readonly code: string
  readonly details: unknown
  /** Whether callers may read the message (Koa's convention). */
  readonly expose: boolean

  constructor(status: number, message?: string, options: HttpErrorOptions = {}) {
    if (!Number.isInteger(status) || status < 400 || status > 599)
      throw new RangeError(`HttpError: expected a status from 400 to 599, found ${status}`)
    const code = options.code ?? CODES[status] ?? (status < 500 ? 'error' : 'handler_error')
    super(message ?? code, options.cause === undefined ? undefined : { cause: options.cause })
    this.status = status
    this.statusCode = status
    this.code = code
    this.details = options.details
    this.expose = status < 500
  }
}

export interface AttemptErrorOptions {
  /** Default: `handler_error`. */
  readonly code?: string
  /** Any JSON value. */
  readonly details?: unknown
  readonly cause?: unknown
}

/** Thrown by a handler that wants to be tried again after a certain time instead of the plugin's backoff. Spends an attempt. */
export class RetryLater extends Error {
  override readonly name: string = 'RetryLater'
  /** Seconds, 0 or more. */
  readonly afterSeconds: number
  readonly code: string
  readonly details: unknown

  constructor(afterSeconds: number, message?: string, options: AttemptErrorOptions = {}) {
    if (!Number.isFinite(afterSeconds) || afterSeconds < 0)
      throw new RangeError(`RetryLater: expected seconds of 0 or more, found ${afterSeconds}`)
    super(message ?? `try again in ${afterSeconds} s`, options.cause === undefined ? undefined : { cause: options.cause })
    this.afterSeconds = afterSeconds
    this.code = options.code ?? 'handler_error'
    this.details = options.details
  }
}

/** Thrown by a handler that knows that no further attempt can help: the job is not retried. */
export class Discard extends Error {
  override readonly name: string = 'Discard'
  readonly code: string
  readonly details: unknown

  constructor(message: string, options: AttemptErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = options.code ?? 'handler_error'
    this.details = options.details
  }
}
