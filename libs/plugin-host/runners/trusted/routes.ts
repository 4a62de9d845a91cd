import type { TrustedBase } from '@xcore/sdk'
import type { Middleware } from 'koa'
import { XCoreError } from '../../../errors/index.ts'
import { routeSchemasOf } from '../../../sdk/route.ts'
import { isRecord } from '../../narrowing.ts'
import type { RouteInfo } from '../../port.ts'
import type { PluginSource } from '../../runner.ts'
import { running, type Running } from './running.ts'

/** The plugin's router as one middleware (null: it has none), and what its routes declare. Throws XCoreError `plugin_load_failed`. */
export async function pluginRoutes(
  instance: TrustedBase,
  { manifest, logger, permissions }: Pick<PluginSource, 'manifest' | 'logger' | 'permissions'>,
  signal: AbortSignal,
): Promise<{ readonly middleware: Middleware | null; readonly routes: readonly RouteInfo[] }> {
  const router = await instance.getRouter?.()
  if (router === undefined || router === null) return { middleware: null, routes: [] }
  const routes: unknown = typeof router.routes === 'function' ? router.routes() : undefined
  const allowedMethods: unknown = typeof router.allowedMethods === 'function' ? router.allowedMethods() : undefined
  if (!isMiddleware(routes) || !isMiddleware(allowedMethods)) {
    throw new XCoreError(
      'plugin_load_failed',
      `getRouter: expected a Router of @xcore/sdk, found ${typeof router}; return \`new Router()\` with routes on it`,
    )
  }
  const middleware: Middleware = (ctx, next) => {
    const traceparent = ctx.get('traceparent') || undefined
    const request: Running = { plugin: manifest.name, job: null, traceparent, deadline: null, signal, logger, permissions }
    return running.run(request, async () => {
      await routes(ctx, async () => {
        await allowedMethods(ctx, next)
      })
    })
  }
  return { middleware, routes: declaredRoutes(router) }
}

/** The routes that were made by `route()`, in the router's order. */
function declaredRoutes(router: unknown): readonly RouteInfo[] {
  const layers: unknown = isRecord(router) ? router['stack'] : undefined
  return (Array.isArray(layers) ? layers : []).flatMap((layer: unknown) => {
    if (!isRecord(layer) || typeof layer['path'] !== 'string' || !Array.isArray(layer['methods']) || !Array.isArray(layer['stack']))
      return []
    const { path, methods, stack } = layer
    const schemas = stack.map((middleware: unknown) => routeSchemasOf(middleware)).find((found) => found !== undefined)
    if (schemas === undefined) return []
    const { status = 200, params = null, query = null, body = null, response = null, summary } = schemas
    return methods
      .filter((method): method is string => typeof method === 'string' && method !== 'HEAD')
      .map((method): RouteInfo => ({ method, path, status, params, query, body, response, ...(summary === undefined ? {} : { summary }) }))
  })
}

// The router puts `params` and `router` on the context itself, so it takes any context.
function isMiddleware(value: unknown): value is Middleware {
  return typeof value === 'function'
}
