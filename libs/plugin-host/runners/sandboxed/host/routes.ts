import type { Middleware, ParameterizedContext } from 'koa'
import { HttpError } from '@xcore/sdk'
import { isFunction } from '../../../narrowing.ts'
import type { RouteFrame } from '../wire/frames.ts'
import type { RouteEnd } from './process.ts'
import type { Supervisor } from './supervisor.ts'

/** Of a request: the caller's credentials for XCore itself are not the plugin's business. */
const KEPT_BACK = new Set([
  'authorization',
  'x-plugin-key',
  'proxy-authorization',
  'connection',
  'upgrade',
  'transfer-encoding',
  'keep-alive',
  'te',
  'trailer',
  'expect',
])
/** Of an answer: how the connection is used is the host's to say. */
const NOT_THE_PLUGINS = new Set([
  'connection',
  'transfer-encoding',
  'keep-alive',
  'upgrade',
  'trailer',
  'content-length',
  'date',
  'server',
  'te',
  // They hold for more than the answer: for all that comes from this origin.
  'alt-svc',
  'clear-site-data',
  'strict-transport-security',
  'public-key-pins',
  'service-worker-allowed',
  'nel',
  'report-to',
  'reporting-endpoints',
  'proxy-authenticate',
  'origin-agent-cluster',
])
/** What a browser shows of it has an origin of its own: its scripts read nothing of what the host serves beside it. */
const OWN_ORIGIN = 'sandbox allow-forms allow-modals allow-popups allow-scripts'

/** A sandboxed plugin's routes as one middleware: each request goes in whole, the answer comes back whole. */
export function sandboxRoutes(supervisor: Supervisor, timeoutSeconds: number): Middleware {
  return async (ctx) => {
    const deadline = new Date(Date.now() + timeoutSeconds * 1000)
    const traceparent = ctx.get('traceparent') || undefined
    const answer = await supervisor.route(requestOf(ctx), { traceparent, deadline }, timeoutSeconds * 1000)
    if (answer.t === 'answer') send(ctx, answer)
    else throw failure(answer)
  }
}

function requestOf(ctx: ParameterizedContext): Omit<RouteFrame, 't' | 'id'> {
  const headers = Object.entries(ctx.req.headers).flatMap(([name, value]) =>
    value === undefined || KEPT_BACK.has(name) ? [] : [value].flat().map((each): [string, string] => [name, each]),
  )
  const rawBody: unknown = Reflect.get(ctx.request, 'rawBody')
  const parsed: unknown = Reflect.get(ctx.request, 'body')
  const mountPath: unknown = ctx['mountPath']
  return {
    method: ctx.method,
    url: ctx.path + ctx.search,
    mountPath: typeof mountPath === 'string' ? mountPath : '',
    headers,
    secure: ctx.secure,
    ip: ctx.ip,
    body: Buffer.isBuffer(rawBody) ? rawBody.toString('base64') : null,
    ...(parsed === undefined || isFunction(parsed) ? {} : { parsed }),
  }
}

function send(ctx: ParameterizedContext, { status, headers, body }: Extract<RouteEnd, { t: 'answer' }>): void {
  ctx.status = status < 200 ? 500 : status
  const bytes = body === null ? null : Buffer.from(body, 'base64')
  if (bytes !== null) ctx.body = bytes
  for (const [name, value] of headers) {
    if (NOT_THE_PLUGINS.has(name.toLowerCase())) continue
    try {
      if (ctx.response.get(name) !== '' && name.toLowerCase() !== 'content-type') ctx.append(name, value)
      else ctx.set(name, value)
    } catch {
      // Not a header that HTTP knows: left out.
    }
  }
  ctx.append('content-security-policy', OWN_ORIGIN)
  ctx.set('x-content-type-options', 'nosniff')
}

function failure({ status, expose, error }: Extract<RouteEnd, { t: 'route_failed' }>): Error {
  if (expose)
    return new HttpError(status, error.message, { code: error.code, ...(error.details === undefined ? {} : { details: error.details }) })
  // Its text is for the log only.
  return Object.assign(new Error(`a route of the sandboxed plugin threw: ${error.message}`), { stack: error.stack ?? '' })
}
