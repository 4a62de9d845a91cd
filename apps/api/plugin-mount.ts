import type { Next } from 'koa'
import { XCoreError } from '../../libs/errors/index.ts'
import type { PluginRoutes } from '../../libs/plugin-host/port.ts'
import type { Authorize } from './auth.ts'
import { parsePluginBody } from './plugin-body.ts'
import { readBody } from './body.ts'
import type { ApiScope } from './handler.ts'
import { isStatusError, statusErrorProblem } from './http-error.ts'
import { internalError, sendProblem } from './observe.ts'
import { codeOfStatus, problem, problemOf, reasonPhrase, statusOfError } from './problem.ts'
import { answerOtherMethod } from './routing.ts'
import type { KoaContext } from './routing.ts'

const MOUNT = '/plugins/'
const ROUTE = '/plugins/:name/*'

/**
 * `/plugins/{name}/…`: the plugin's own routes, with paths relative to the mount. The host's part is around them: key, rate limit,
 * body, timeout, and answers to what the plugin did not catch, which reveal nothing.
 */
export function mountPlugins(api: ApiScope, authorize: Authorize): (ctx: KoaContext, next: Next) => Promise<void> {
  return async (ctx, next) => {
    const { path } = ctx
    if (!path.startsWith(MOUNT)) {
      await next()
      return
    }
    const end = path.indexOf('/', MOUNT.length)
    const name = path.slice(MOUNT.length, end === -1 ? undefined : end)
    ctx.state.route = ROUTE
    const routes = findRoutes(api, name)
    if (routes.authRequired) {
      const caller = authorize(ctx.req.headers, 'call')
      if (caller !== undefined) ctx.state.caller = caller
    }
    await takeToken(api, routes)
    await attachBody(api, ctx)
    ctx['mountPath'] = MOUNT + name
    ctx.path = end === -1 ? '/' : path.slice(end)
    await runWithin(api, ctx, routes)
  }
}

function findRoutes(api: ApiScope, name: string): PluginRoutes {
  const routes = api.host.routes(name)
  if (routes !== undefined) return routes
  const refusal = api.host.refusal(name)
  if (refusal !== undefined) throw new XCoreError('not_ready', `The plugin "${name}" is not ready: ${refusal.message}`)
  if (api.host.find(name) !== undefined) throw new XCoreError('not_found', `The plugin "${name}" has no routes.`)
  throw new XCoreError('not_found', 'There is no plugin of this name; GET /admin/plugins lists them.')
}

async function takeToken(api: ApiScope, routes: PluginRoutes): Promise<void> {
  if (routes.rateLimit === null) return
  const { granted, retryAfterSeconds } = await api.rateTokens.take(routes.plugin, routes.rateLimit, 1)
  if (granted >= 1) return
  const { calls, periodSeconds } = routes.rateLimit
  throw new XCoreError(
    'rate_limit_exceeded',
    `The plugin "${routes.plugin}" takes ${calls} calls in ${periodSeconds} s; try again later.`,
    { retryAfterSeconds },
  )
}

async function attachBody(api: ApiScope, ctx: KoaContext): Promise<void> {
  const { headers } = ctx.req
  if (headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0') return
  const bytes = await readBody(ctx.req, api.limits.payloadBytes)
  Object.assign(ctx.request, { rawBody: bytes, body: parsePluginBody(bytes, headers['content-type']) })
}

/** Runs the routes under the plugin's timeout. Throws nothing that the plugin threw. */
async function runWithin(api: ApiScope, ctx: KoaContext, routes: PluginRoutes): Promise<void> {
  const timeout = Promise.withResolvers<'timeout'>()
  const timer = setTimeout(timeout.resolve, routes.timeoutSeconds * 1000, 'timeout')
  const run = runRoutes(api, ctx, routes)
  try {
    if ((await Promise.race([run, timeout.promise])) === 'timeout') sendTimeout(api, ctx, routes)
  } finally {
    clearTimeout(timer)
  }
}

async function runRoutes(api: ApiScope, ctx: KoaContext, routes: PluginRoutes): Promise<void> {
  try {
    await routes.middleware(ctx, async () => undefined)
    giveErrorItsStatus(ctx)
    stringifyBody(ctx)
  } catch (error) {
    if (ctx.respond === false) api.logger.warn({ err: error, plugin: routes.plugin }, 'a route failed after its timeout')
    else sendThrown(api, ctx, routes, error)
    return
  }
  const { status } = ctx
  if (ctx.respond === false || status < 400 || (ctx.body !== undefined && ctx.body !== null)) return
  if (status === 404 && answerOtherMethod(ctx)) return
  const detail = status === 404 ? `There is no ${ctx.method} ${ctx.path} in the plugin "${routes.plugin}".` : reasonPhrase(status)
  sendProblem(ctx, problem(codeOfStatus(status), detail, { status }))
}

/** `ctx.body = error(…)` is no success: it answers with the status that the same error of an action has. */
function giveErrorItsStatus(ctx: KoaContext): void {
  const body: unknown = ctx.body
  if (ctx.respond === false || ctx.status !== 200 || typeof body !== 'object' || body === null) return
  if (!('status' in body && body.status === 'error' && 'msg' in body)) return
  const code = 'code' in body && typeof body.code === 'string' ? body.code : 'error'
  ctx.status = statusOfError({
    code,
    ...('status_code' in body && typeof body.status_code === 'number' ? { statusCode: body.status_code } : {}),
  })
}

/** Koa would do it after us, where a cycle or a BigInt could no longer be answered properly. */
function stringifyBody(ctx: KoaContext): void {
  const body: unknown = ctx.body
  if (typeof body !== 'object' || body === null || ctx.respond === false) return
  const prototype: unknown = Object.getPrototypeOf(body)
  if (prototype === Object.prototype || prototype === null || Array.isArray(body)) ctx.body = JSON.stringify(body)
}

function sendThrown(api: ApiScope, ctx: KoaContext, routes: PluginRoutes, error: unknown): void {
  if (!isStatusError(error)) {
    const code = error instanceof XCoreError ? error.code : undefined
    // Counted and logged where it was denied; what it wanted is not the caller's business.
    if (code === 'permission_denied')
      return sendProblem(ctx, problem(code, `The plugin "${routes.plugin}" was denied something that it needs to answer.`))
    const internal = internalError(api, ctx, error, routes.plugin)
    // Not the plugin's fault, and worth another try.
    const away = error instanceof XCoreError && code === 'database_unavailable' ? problemOf(error) : undefined
    return sendProblem(ctx, away ?? internal)
  }
  if (error.status >= 500) api.logger.error({ err: error, plugin: routes.plugin, path: ctx.path }, 'a route failed')
  sendProblem(ctx, statusErrorProblem(error))
}

/**
 * Answers at once and takes the response away from Koa: the handler may still run, and what it writes from now on must not
 * reach the caller.
 */
function sendTimeout(api: ApiScope, ctx: KoaContext, routes: PluginRoutes): void {
  api.logger.warn(
    { plugin: routes.plugin, method: ctx.method, path: ctx.path, timeout_seconds: routes.timeoutSeconds },
    'a route did not finish in time',
  )
  if (ctx.res.headersSent) {
    ctx.res.destroy()
    return
  }
  const seconds = routes.timeoutSeconds
  sendProblem(ctx, problem('timeout', `The plugin "${routes.plugin}" did not answer within ${seconds} s.`))
  if (api.stopping.aborted) ctx.set('Connection', 'close')
  ctx.respond = false
  ctx.res.end(ctx.body)
}
