/** What `ok()` makes: the fields beside `status: 'ok'`. */
export type OkResult<Fields extends object = object> = Readonly<{ status: 'ok' } & Fields>

/** What `error()` makes. Final, unless `retryable`. */
export interface ErrorResult {
  readonly status: 'error'
  readonly msg: string
  /** Default: `error`. */
  readonly code?: string
  /** 400–599: callers over HTTP are answered with it. */
  readonly status_code?: number
  /** Any JSON value. */
  readonly details?: unknown
  /** True: the job is tried again while attempts are left. */
  readonly retryable?: boolean
  /** Seconds until that next try; default: the plugin's backoff. */
  readonly retryAfterSeconds?: number
}

/**
 * What a handler may return. `ok(…)`, `error(…)` or the same written out; nothing at all is `ok()`; any other object without
 * a `status` is `ok` with its members. Everything in it must be JSON: a member that is `undefined`, a function, a BigInt,
 * `NaN`, a Map or a cycle makes the job fail with `invalid_result`. Dates become ISO 8601 text. At most 1 MiB.
 */
export type ActionResult = OkResult | ErrorResult | object | void

export interface ErrorOptions {
  /** Stable and short, for programs: `invalid_input`. Default: `error`. */
  readonly code?: string
  /** 400–599; default: the one that belongs to `code`, else 400. */
  readonly statusCode?: number
  /** Any JSON value. */
  readonly details?: unknown
  /** True: try the job again while attempts are left. Default: false, the job fails at once. */
  readonly retryable?: boolean
  /** With `retryable`: seconds until the next try. */
  readonly retryAfterSeconds?: number
}

/** Success: `ok({ order_id })` is `{status: 'ok', order_id}`. Throws TypeError when the fields hold a `status` of their own. */
export function ok(): OkResult
export function ok<Fields extends object>(fields: Fields & { readonly status?: never }): OkResult<Fields>
export function ok(fields: object = {}): OkResult {
  if (Object.hasOwn(fields, 'status')) {
    throw new TypeError(
      "ok(): a field 'status' would be overwritten by status: 'ok'; give it another name or put it into a field: ok({ order })",
    )
  }
  return { status: 'ok', ...fields }
}

/**
 * Failure: `{status: 'error', msg, code, status_code?, details?}`. Throws RangeError for a statusCode outside 400–599.
 * `retryable` and `retryAfterSeconds` are for the host only: they are there to read, but are no part of the JSON.
 */
export function error(msg: string, options: ErrorOptions = {}): ErrorResult {
  const { code = 'error', statusCode, details, retryable, retryAfterSeconds } = options
  if (statusCode !== undefined && (!Number.isInteger(statusCode) || statusCode < 400 || statusCode > 599)) {
    throw new RangeError(`error(): expected a statusCode from 400 to 599, found ${statusCode}`)
  }
  const result: ErrorResult = {
    status: 'error',
    msg,
    code,
    ...(statusCode === undefined ? {} : { status_code: statusCode }),
    ...(details === undefined ? {} : { details }),
  }
  if (retryable !== undefined) Object.defineProperty(result, 'retryable', { value: retryable })
  if (retryAfterSeconds !== undefined) Object.defineProperty(result, 'retryAfterSeconds', { value: retryAfterSeconds })
  return result
}
