import type { TrustedBase } from '@xcore/sdk'
import type { Middleware } from 'koa'
import { XCoreError } from '../../../errors/index.ts'
import type { PluginSource } from '../../runner.ts'
import { running, type Running } from './running.ts'

/** The plugin's router as one middleware; null: it has none. Throws XCoreError `plugin_load_failed`. */
export async function pluginRoutes(
  instance: TrustedBase,
  { manifest, logger, permissions }: Pick<PluginSource, 'manifest' | 'logger' | 'permissions'>,
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
    const traceparent = ctx.get('traceparent') || undefined
    const request: Running = { plugin: manifest.name, job: null, traceparent, deadline: null, signal, logger, permissions }
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
