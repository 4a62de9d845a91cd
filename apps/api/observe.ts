import { METHODS } from 'node:http'
import { XCoreError, messageOf } from '../../libs/errors/index.ts'
import { randomIds } from '../../libs/event-log/index.ts'
import { startSpan } from '../../libs/telemetry/tracing.ts'
import type { TracedSpan } from '../../libs/telemetry/tracing.ts'
import { AuthRefused, createAuthWatch } from './auth.ts'
import type { ApiContext, ApiScope } from './handler.ts'
import { traceparentOf } from './request-headers.ts'
import { isStatusError, statusErrorProblem } from './http-error.ts'
import { problem, problemJson, problemOf, type Problem } from './problem.ts'

const KNOWN_METHODS = new Set(METHODS)
const NOTHING = {}

/** The outermost step: answers errors as problems, measures and logs every request. */
export function observe(api: ApiScope): (ctx: ApiContext, next: () => Promise<unknown> | void) => Promise<void> {
  const { httpRequestSeconds } = api.metrics
  const watch = createAuthWatch(api.metrics, api.logger)
  const debugs = api.logger.isLevelEnabled('debug')
  return async (ctx, next) => {
    const started = performance.now()
    const span = startSpan({ name: ctx.method, kind: 'server', parent: traceparentOf(ctx.req.headers['traceparent']), attributes: NOTHING })
    if (span.traceparent !== undefined) ctx.state.traceparent = span.traceparent
    try {
      await span.run(next)
    } catch (error) {
      if (error instanceof AuthRefused) watch({ refused: error, address: ctx.ip, route: ctx.state.route ?? '_other' })
      sendProblem(ctx, problemFor(api, ctx, error))
    }
    if (api.stopping.aborted && !ctx.res.headersSent) ctx.set('Connection', 'close')
    const seconds = (performance.now() - started) / 1000
    const method = KNOWN_METHODS.has(ctx.method) ? ctx.method : '_other'
    const status = String(ctx.status)
    httpRequestSeconds.observe({ method, route: ctx.state.route ?? '_other', status }, seconds, span.traceId)
    if (span.traceId !== undefined) describeSpan(span, ctx, method)
    span.end(ctx.status >= 500 ? { type: status, message: '' } : undefined)
    if (debugs) logRequest(api, ctx, seconds)
  }
}

/** Names and attributes by OpenTelemetry's conventions for HTTP servers. */
function describeSpan(span: TracedSpan, ctx: ApiContext, method: string): void {
  const { route } = ctx.state
  span.name(route === undefined ? method : `${method} ${route}`)
  span.set({
    'http.request.method': method,
    'http.response.status_code': ctx.status,
    'url.path': ctx.path,
    'url.scheme': ctx.protocol,
    ...(route !== undefined && { 'http.route': route }),
    ...(ctx.state.madeId !== undefined && { 'xcore.correlation_id': ctx.state.madeId }),
  })
}

export function sendProblem(ctx: ApiContext, answer: Problem): void {
  if (ctx.res.headersSent) return
  for (const [field, value] of Object.entries(answer.headers ?? {})) ctx.set(field, value)
  if (answer.retryAfterSeconds !== undefined) ctx.set('Retry-After', String(Math.max(1, Math.ceil(answer.retryAfterSeconds))))
  ctx.status = answer.status
  ctx.set('Content-Type', 'application/problem+json')
  ctx.body = JSON.stringify(problemJson(answer))
}

function problemFor(api: ApiScope, ctx: ApiContext, error: unknown): Problem {
  if (error instanceof XCoreError) {
    const expected = problemOf(error)
    if (expected !== undefined) {
      if (expected.status >= 500) api.logger.warn({ err: error, ...requestFields(ctx) }, 'request refused')
      return expected
    }
  } else if (isStatusError(error) && error.status < 500) {
    return statusErrorProblem(error)
  }
  return internalError(api, ctx, error)
}

/** Says nothing of the cause to the caller, and everything to the log, under the same correlation id. */
export function internalError(api: ApiScope, ctx: ApiContext, error: unknown, plugin?: string): Problem {
  const correlationId = ctx.state.madeId ?? randomIds.uuid()
  api.logger.error(
    {
      err: error instanceof Error ? error : new Error(messageOf(error)),
      correlation_id: correlationId,
      ...requestFields(ctx),
      ...(plugin !== undefined && { plugin }),
    },
    'request failed',
  )
  return problem('internal_error', 'Something went wrong inside; the log holds the cause under this correlation_id.', { correlationId })
}

function requestFields(ctx: ApiContext): Record<string, string> {
  return { method: ctx.method, route: ctx.state.route ?? '_other' }
}

function logRequest(api: ApiScope, ctx: ApiContext, seconds: number): void {
  const { madeId, caller } = ctx.state
  api.logger.debug(
    {
      ...requestFields(ctx),
      status: ctx.status,
      duration_ms: Math.round(seconds * 1_000_000) / 1000,
      ...(madeId !== undefined && { correlation_id: madeId }),
      ...(caller !== undefined && { caller }),
    },
    'request',
  )
}
