import { Discard, HttpError, RetryLater } from '@xcore/sdk'
import type { HandlerResult } from '../../../engine/plugin-port.ts'
import type { ErrorCode } from '../../../errors/index.ts'
import { XCoreError, messageOf } from '../../../errors/index.ts'
import type { JobError, Json, JsonObject } from '../../../event-log/index.ts'
import { storable, toJson } from '../../to-json.ts'

/** Bytes of JSON that a handler may return. */
export const MAX_RESULT_BYTES = 1024 * 1024
const MAX_MESSAGE = 8_192
const MAX_STACK = 16_384
const MAX_CODE = 128

/** Of catalogue errors that a handler lets through: those that no further attempt can help. */
const FINAL_CODES: readonly ErrorCode[] = ['loop_detected', 'permission_denied', 'schedule_invalid', 'schedule_exists']

/** What a handler's return value means. Pure; never throws. */
export function returned(value: unknown): HandlerResult {
  if (value === undefined || value === null) return { kind: 'ok', result: { status: 'ok' } }
  // Read before the conversion: error() keeps them out of the JSON.
  const hints = typeof value === 'object' ? retryHints(value) : { retryable: false }
  const converted = toJson(value, { name: 'result', maxBytes: MAX_RESULT_BYTES })
  if (!converted.ok) return invalid(`${converted.problem}; return ok({…}) or error(…) with JSON values`)
  const { json } = converted
  if (!isObject(json))
    return invalid(
      `expected ok({…}), error(…) or an object, found ${Array.isArray(json) ? 'a list' : `a ${typeof json}`}; wrap it: ok({ value })`,
    )
  if (!Object.hasOwn(json, 'status')) return { kind: 'ok', result: { status: 'ok', ...json } }
  if (json['status'] === 'ok') return { kind: 'ok', result: json }
  if (json['status'] === 'error') return { kind: 'error', error: errorOf(json), ...hints }
  return invalid(
    `expected the status 'ok' or 'error', found ${storable(JSON.stringify(json['status']), 60)}; put an object of your own into a field: ok({ order })`,
  )
}

/** What something thrown means. Pure; never throws. */
export function threw(thrown: unknown): HandlerResult {
  const error = thrownError(thrown)
  if (thrown instanceof RetryLater) return { kind: 'threw', error, retryAfterSeconds: thrown.afterSeconds }
  if (thrown instanceof Discard) return { kind: 'threw', error, final: true }
  if (thrown instanceof HttpError && thrown.status < 500) {
    const { stack: _stack, ...told } = error
    return { kind: 'error', error: told, retryable: false }
  }
  if (thrown instanceof XCoreError && FINAL_CODES.includes(thrown.code)) return { kind: 'threw', error, final: true }
  return { kind: 'threw', error }
}

/** Ends a job that can't be handed to any handler. */
export function refused(code: ErrorCode, message: string, details?: Json): HandlerResult {
  return { kind: 'error', error: { code, message, ...(details === undefined ? {} : { details }) }, retryable: false }
}

function invalid(message: string): HandlerResult {
  return refused('invalid_result', message)
}

function errorOf(json: JsonObject): JobError {
  const { status: _status, msg, code, status_code: statusCode, details, retryable: _retryable, retryAfterSeconds: _after, ...others } = json
  // Members that the contract does not know are not lost.
  const told = details === undefined && Object.keys(others).length > 0 ? others : details
  return {
    code: typeof code === 'string' && code !== '' ? storable(code, MAX_CODE) : 'error',
    message: typeof msg === 'string' ? storable(msg, MAX_MESSAGE) : 'the handler returned an error without a msg',
    ...(isErrorStatus(statusCode) ? { statusCode } : {}),
    ...(told === undefined ? {} : { details: told }),
  }
}

function retryHints(value: object): { readonly retryable: boolean; readonly retryAfterSeconds?: number } {
  try {
    const after: unknown = Reflect.get(value, 'retryAfterSeconds')
    const retryable = Reflect.get(value, 'retryable') === true
    return typeof after === 'number' && Number.isFinite(after) && after >= 0 ? { retryable, retryAfterSeconds: after } : { retryable }
  } catch {
    return { retryable: false }
  }
}

function thrownError(thrown: unknown): JobError {
  const stack = stackOf(thrown)
  const known = thrown instanceof HttpError || thrown instanceof RetryLater || thrown instanceof Discard
  const details = known || thrown instanceof XCoreError ? detailsOf(thrown) : undefined
  return {
    code: known || thrown instanceof XCoreError ? storable(String(thrown.code), MAX_CODE) : 'handler_error',
    message: storable(textOf(thrown), MAX_MESSAGE),
    ...(thrown instanceof HttpError ? { statusCode: thrown.status } : {}),
    ...(details === undefined ? {} : { details }),
    ...(stack === undefined ? {} : { stack: storable(stack, MAX_STACK) }),
  }
}

function detailsOf(thrown: { readonly details: unknown }): Json | undefined {
  if (thrown.details === undefined || (thrown instanceof XCoreError && Object.keys(thrown.details).length === 0)) return undefined
  const converted = toJson(thrown.details, { name: 'details', maxBytes: MAX_RESULT_BYTES })
  return converted.ok ? converted.json : converted.problem
}

// Anything can be thrown, also things that throw when they are looked at.
function textOf(thrown: unknown): string {
  try {
    return String(messageOf(thrown))
  } catch {
    return 'something was thrown that cannot be read'
  }
}

function stackOf(thrown: unknown): string | undefined {
  try {
    if (!(thrown instanceof Error) || typeof thrown.stack !== 'string') return undefined
    return thrown.cause instanceof Error ? `${thrown.stack}\n[cause]: ${thrown.cause.stack}` : thrown.stack
  } catch {
    return undefined
  }
}

function isObject(json: Json): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function isErrorStatus(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 400 && value <= 599
}
