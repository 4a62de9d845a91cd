import type { Issue } from '../../libs/errors/index.ts'
import { codeOfStatus, problem, reasonPhrase, type Problem } from './problem.ts'

/** An error with a status chosen by whoever threw it: `ctx.throw(…)` of Koa, `HttpError` of the SDK, errors of @koa/router. */
interface StatusError extends Error {
  readonly status: number
}

export function isStatusError(thrown: unknown): thrown is StatusError {
  return thrown instanceof Error && 'status' in thrown && isErrorStatus(thrown.status)
}

function isErrorStatus(status: unknown): boolean {
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599
}

/** Keeps status, code and headers. The message is shown when the error allows it (`expose`; by default below 500). */
export function statusErrorProblem(error: StatusError): Problem {
  const { status } = error
  const expose = 'expose' in error && typeof error.expose === 'boolean' ? error.expose : status < 500
  const known = problem(codeOfStatus(status), expose && error.message !== '' ? error.message : reasonPhrase(status), { status })
  const code =
    expose && 'code' in error && typeof error.code === 'string' && /^[a-z][a-z0-9_]{0,63}$/.test(error.code) ? error.code : known.code
  const issues = expose ? issuesOf(error) : []
  return {
    ...known,
    code,
    title: code === known.code ? known.title : reasonPhrase(status),
    ...(issues.length > 0 && { errors: issues }),
    ...(expose && issues.length === 0 && 'details' in error && error.details !== undefined && { details: error.details }),
    headers: headersOf(error),
  }
}

/** `details` of an HttpError when it is a list of `{path, message}`, as the SDK's `validated` makes it. */
function issuesOf(error: StatusError): readonly Issue[] {
  const details = 'details' in error && Array.isArray(error.details) ? error.details : []
  return details.flatMap((detail: unknown) =>
    typeof detail === 'object' &&
    detail !== null &&
    'path' in detail &&
    typeof detail.path === 'string' &&
    'message' in detail &&
    typeof detail.message === 'string'
      ? [{ path: detail.path, message: detail.message }]
      : [],
  )
}

function headersOf(error: StatusError): Record<string, string> {
  const headers = 'headers' in error ? error.headers : undefined
  if (typeof headers !== 'object' || headers === null) return {}
  return Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}
