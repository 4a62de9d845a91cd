import type { HandlerResult } from '../../../../engine/plugin-port.ts'
import { refusal } from '../../../../event-log/index.ts'
import type { Json, JsonObject } from '../../../../event-log/index.ts'
import { MAX_RESULT_BYTES } from '../../trusted/outcome.ts'
import type { FromSandbox } from '../wire/frames.ts'
import { plainText } from './plain-text.ts'
import type { StackMap } from './stack-map.ts'

/** For what a frame holds besides the result. */
const FRAME_ALLOWANCE = 64 * 1024

type Done = Extract<FromSandbox, { t: 'done' }>

/**
 * What a sandbox reports, as the engine takes it. The runtime inside keeps these rules; something else inside may not, so they are
 * checked again: size (`bytes` of the frame), depth, keys named `__proto__`, texts that Postgres cannot store. Pure.
 */
export function handlerResult({ result }: Done, bytes: number, stacks: StackMap): HandlerResult {
  const value =
    result.kind === 'ok' ? result.result : { message: result.error.message, code: result.error.code, details: result.error.details ?? null }
  const problem = problemOf(value, bytes)
  if (problem !== undefined)
    return { kind: 'error', retryable: false, error: { code: 'invalid_result', message: `the handler's result ${problem}` } }
  if (result.kind === 'ok') {
    return isJsonObject(result.result)
      ? { kind: 'ok', result: { ...result.result, status: 'ok' } }
      : { kind: 'ok', result: { status: 'ok' } }
  }
  const { details, stack, statusCode, code, message } = shown(result.error, stacks)
  const error = {
    code,
    message,
    ...(statusCode === undefined ? {} : { statusCode }),
    ...(isJson(details) ? { details } : {}),
    ...(stack === undefined ? {} : { stack: stack.replaceAll('\u0000', '\uFFFD').toWellFormed() }),
  }
  const after = result.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: Math.min(result.retryAfterSeconds, 86_400) }
  if (result.kind === 'error') return { kind: 'error', error, retryable: result.retryable, ...after }
  return { kind: 'threw', error, ...after, ...(result.final === undefined ? {} : { final: result.final }) }
}

interface ToldError {
  readonly code: string
  readonly message: string
  readonly stack?: string
}

/** The error as it may be shown to people, with the author's files in its stack. */
function shown<Told extends ToldError>(error: Told, stacks: StackMap): Told {
  const { code, message, stack } = error
  const texts = { code: plainText(code), message: plainText(message) }
  return { ...error, ...texts, ...(stack === undefined ? {} : { stack: plainText(stacks.rewrite(stack)) }) }
}

/** What a route threw: details that cannot be answered are left out. */
export function routeError<Told extends ToldError & { readonly details?: unknown }>(error: Told, stacks: StackMap): Told {
  const { details } = error
  const fits = details === undefined || (isJson(details) && refusal(details) === undefined)
  return shown(fits ? error : { ...error, details: undefined }, stacks)
}

function problemOf(value: unknown, bytes: number): string | undefined {
  if (!isJson(value)) return 'is no JSON'
  const refused = refusal(value)
  if (refused !== undefined) return `at "${refused.path}" ${refused.reason}`
  return bytes > MAX_RESULT_BYTES + FRAME_ALLOWANCE ? `is larger than ${MAX_RESULT_BYTES} bytes` : undefined
}

// It came out of JSON.parse.
function isJson(value: unknown): value is Json {
  return value !== undefined
}
function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
