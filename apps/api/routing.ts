import { Router } from '@koa/router'
import type { Next, ParameterizedContext } from 'koa'
import { XCoreError } from '../../libs/errors/index.ts'
import type { Authorize } from './auth.ts'
import type { ApiContext, ApiState, Endpoint } from './handler.ts'
import { problem } from './problem.ts'
import { sendProblem } from './observe.ts'

export type KoaContext = ParameterizedContext<ApiState>

/** Puts endpoints on a router; each checks its scope first. */
export function routerOf(endpoints: readonly Endpoint[], authorize: Authorize): Router<ApiState> {
  const router = new Router<ApiState>({ sensitive: true })
  for (const endpoint of endpoints) {
    router.register(endpoint.path, [endpoint.method], (ctx) => runEndpoint(endpoint, authorize, ctx, ctx.params))
  }
  return router
}

/** Checks the scope, then handles. Throws `unauthorized`, `permission_denied` and what the endpoint throws. */
export function runEndpoint(
  { path, scope, handle }: Endpoint,
  authorize: Authorize,
  ctx: ApiContext,
  params: Readonly<Record<string, string>>,
): Promise<void> | void {
  ctx.state.route = path
  const caller = scope === null ? undefined : authorize(ctx.req.headers, scope)
  if (caller !== undefined) ctx.state.caller = caller
  return handle(ctx, params)
}

/** What no endpoint took: 405 where another method would do (200 with `Allow` for OPTIONS), else 404. */
export function unmatched(ctx: KoaContext, _next: Next): void {
  if (answerOtherMethod(ctx)) return
  throw new XCoreError('not_found', `There is no ${ctx.method} ${ctx.path}; GET /openapi.json lists what there is.`)
}

/** False when no router has a route of this path, or has one of this very method. */
export function answerOtherMethod(ctx: KoaContext): boolean {
  const allowed = allowedMethods(ctx)
  if (allowed.length === 0 || allowed.includes(ctx.method)) return false
  ctx.set('Allow', allowed.join(', '))
  if (ctx.method === 'OPTIONS') {
    ctx.status = 204
  } else {
    sendProblem(ctx, problem('bad_request', `${ctx.method} is not allowed here: use ${allowed.join(', ')}.`, { status: 405 }))
  }
  return true
}

/** @koa/router leaves the routes of this path in `ctx.matched`, whatever their method. */
function allowedMethods(ctx: KoaContext): readonly string[] {
  const matched: unknown = ctx['matched']
  if (!Array.isArray(matched)) return []
  return [...new Set(matched.flatMap(methodsOf))]
}

function methodsOf(layer: unknown): readonly string[] {
  const methods = typeof layer === 'object' && layer !== null && 'methods' in layer ? layer.methods : undefined
  return Array.isArray(methods) ? methods.filter((method): method is string => typeof method === 'string') : []
}
