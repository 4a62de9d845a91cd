import { STATUS_CODES } from 'node:http'
import { ERROR_CATALOGUE, isErrorCode, type ErrorCode, type Issue, type XCoreError } from '../../libs/errors/index.ts'

/** An RFC 9457 answer, ready to be sent. */
export interface Problem {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly errors?: readonly Issue[]
  /** What a plugin's HttpError adds; any JSON. */
  readonly details?: unknown
  readonly retryAfterSeconds?: number
  /** Finds the log line of an internal error. */
  readonly correlationId?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The status of each code that a caller may be answered with. Codes that are not here are faults of the host: 500. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  invalid_json: 400,
  bad_request: 400,
  unauthorized: 401,
  permission_denied: 403,
  not_found: 404,
  unknown_action: 404,
  job_finished: 409,
  plugin_required: 409,
  job_not_finished: 409,
  replay_unsafe: 409,
  replay_exists: 409,
  replay_finished: 409,
  cancelled: 409,
  schedule_exists: 409,
  payload_too_large: 413,
  validation_error: 422,
  idempotency_mismatch: 422,
  schedule_invalid: 422,
  nothing_to_replay: 422,
  rate_limit_exceeded: 429,
  handler_error: 500,
  internal_error: 500,
  invalid_result: 500,
  worker_lost: 500,
  no_handler: 500,
  memory_exceeded: 500,
  sandbox_crashed: 500,
  sandbox_protocol_error: 500,
  sandbox_boot_failed: 500,
  sandbox_interrupted: 500,
  database_error: 500,
  database_privilege_missing: 500,
  not_ready: 503,
  redis_unavailable: 503,
  queue_unavailable: 503,
  queue_unsuitable: 503,
  timeout: 504,
}

/** How long a caller should wait when nothing better is known. */
const RETRY_AFTER_SECONDS = 5

/** The status of an outcome's error: its own, else its code's, else 400. */
export function statusOfError(error: { readonly code: string; readonly statusCode?: number }): number {
  const own = error.statusCode
  if (own !== undefined && Number.isInteger(own) && own >= 400 && own <= 599) return own
  return isErrorCode(error.code) ? (STATUS[error.code] ?? 400) : 400
}

/** Turns a domain error into an answer; undefined: it is not for callers (log it and answer an internal error). */
export function problemOf(error: XCoreError): Problem | undefined {
  if (error.code === 'database_unavailable') return problem('not_ready', 'The database cannot be reached now; try again.')
  const status = STATUS[error.code]
  if (status === undefined || error.code === 'internal_error') return undefined
  const retryAfter = error.retryAfterSeconds ?? (status === 429 || status === 503 ? RETRY_AFTER_SECONDS : undefined)
  return {
    status,
    code: error.code,
    title: ERROR_CATALOGUE[error.code].meaning,
    detail: error.message,
    ...(error.issues.length > 0 && { errors: error.issues }),
    ...(retryAfter !== undefined && { retryAfterSeconds: retryAfter }),
    ...(status === 401 && { headers: { 'WWW-Authenticate': 'Bearer realm="xcore"' } }),
  }
}

export function problem(code: ErrorCode, detail: string, extra: Partial<Problem> = {}): Problem {
  const status = extra.status ?? STATUS[code] ?? 500
  return {
    status,
    code,
    title: ERROR_CATALOGUE[code].meaning,
    detail,
    ...(status === 503 && { retryAfterSeconds: RETRY_AFTER_SECONDS }),
    ...extra,
  }
}

/** For a status that somebody else chose (a plugin's HttpError): the code that comes nearest. */
export function codeOfStatus(status: number): ErrorCode {
  switch (status) {
    case 401:
      return 'unauthorized'
    case 403:
      return 'permission_denied'
    case 404:
      return 'not_found'
    case 413:
      return 'payload_too_large'
    case 422:
      return 'validation_error'
    case 429:
      return 'rate_limit_exceeded'
    case 503:
      return 'not_ready'
    case 504:
      return 'timeout'
    default:
      return status < 500 ? 'bad_request' : 'internal_error'
  }
}

export function reasonPhrase(status: number): string {
  return STATUS_CODES[status] ?? String(status)
}

export function problemJson(value: Problem): Record<string, unknown> {
  return {
    type: `urn:xcore:error:${value.code}`,
    title: value.title,
    status: value.status,
    code: value.code,
    detail: value.detail,
    ...(value.errors !== undefined && { errors: value.errors }),
    ...(value.details !== undefined && { details: value.details }),
    ...(value.correlationId !== undefined && { correlation_id: value.correlationId }),
  }
}
