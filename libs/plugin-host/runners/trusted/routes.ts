import type { TrustedBase } from '@xcore/sdk'
import type { Middleware } from 'koa'
import { XCoreError } from '../../../errors/index.ts'
import type { PluginName } from '../../../event-log/index.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import { running, type Running } from './running.ts'

/** The plugin's router as one middleware; null: it has none. Throws XCoreError `plugin_load_failed`. */
export async function pluginRoutes(
  instance: TrustedBase,
  plugin: PluginName,
  logger: Logger,
  signal: AbortSignal,
): Promise<Middleware | null> {
  const router = await instance.getRouter?.()
  if (router === undefined || router === null) return null
  const routes: unknown = typeof router.routes === 'function' ? router.routes() : undefined
  const allowedMethods: unknown = typeof router.allowedMethods === 'function' ? router.allowedMethods() : undefined
  if (!isMiddleware(routes) || !isMiddleware(allowedMethods)) {
    throw new XCoreError(
      'plugin_load_failed',
      `getRouter: expected a Router of @xcore/sdk, found ${typeof router}; return \`new Router()\` with routes on it`,
    )
  }
  return (ctx, next) => {
    // The host's span of this request; what it passes on is valid.
    const sent: unknown = ctx.state['traceparent']
    const traceparent = typeof sent === 'string' ? sent : undefined
    const request: Running = { plugin, job: null, traceparent, deadline: null, signal, logger }
    return running.run(request, async () => {
      await routes(ctx, async () => {
        await allowedMethods(ctx, next)
      })
    })
  }
}

// The router puts `params` and `router` on the context itself, so it takes any context.
function isMiddleware(value: unknown): value is Middleware {
  return typeof value === 'function'
}
