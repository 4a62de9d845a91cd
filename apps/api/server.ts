import { createServer, type Server } from 'node:http'
import { isIPv6 } from 'node:net'
import Koa from 'koa'
import { XCoreError, messageOf } from '../../libs/errors/index.ts'
import { createAuthorize, isLoopback } from './auth.ts'
import type { Api, ApiDeps } from './deps.ts'
import { sendJson, type ApiScope, type ApiState, type Endpoint } from './handler.ts'
import { observe } from './observe.ts'
import { routerOf, unmatched } from './routing.ts'
import { openApiDocument } from './openapi.ts'
import { mountPlugins } from './plugin-mount.ts'
import { adminEndpoints } from './routes/admin.ts'
import { eventEndpoint } from './routes/events.ts'
import { ipcEndpoint } from './routes/ipc.ts'
import { jobEndpoints } from './routes/jobs.ts'
import { operationEndpoints } from './routes/operations.ts'

/** Against slow clients: how long headers, and headers plus body, may take to arrive. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
/** Longer than the idle timeouts of usual proxies, so that they close first. */
const KEEP_ALIVE_MS = 65_000

/** The HTTP side of XCore (contract: HTTP). Takes what it needs from `deps`, opens only its own sockets. */
export function createApi(deps: ApiDeps): Api {
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  if (deps.draining?.aborted) stop()
  deps.draining?.addEventListener('abort', stop, { once: true })
  const api: ApiScope = { ...deps, now: deps.now ?? (() => new Date()), stopping: stopping.signal }
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS, connectionsCheckingInterval: 5000 },
    createApp(api).callback(),
  )
  return {
    async listen(host, port) {
      if (deps.auth.keys.length === 0 && !isLoopback(host)) {
        throw new XCoreError(
          'config_invalid',
          `http.host is ${host}, which others can reach, but no key is configured. Set auth.keys (XCORE_API_KEYS), or bind to 127.0.0.1.`,
        )
      }
      const bound = await bind(server, host, port)
      return { port: bound, url: `http://${isIPv6(host) ? `[${host}]` : host}:${bound}` }
    },
    async close(deadlineMs) {
      stop()
      deps.draining?.removeEventListener('abort', stop)
      await closeServer(server, deadlineMs)
    },
  }
}

function createApp(api: ApiScope): Koa<ApiState> {
  const authorize = createAuthorize(api.auth.keys)
  const app = new Koa<ApiState>()
  // What reaches Koa itself are broken connections: nobody is left to be answered.
  app.on('error', (error) => api.logger.debug({ err: error }, 'connection broke'))
  app.use(observe(api))
  const ipc = ipcEndpoint(api)
  const others = [eventEndpoint(api), ...jobEndpoints(api), ...adminEndpoints(api), ...operationEndpoints(api)]
  const openApi = openApiEndpoint(api, [ipc, ...others])
  // Calls apart from the others: the hot path then matches one pattern instead of all.
  app.use(routerOf([ipc], authorize).routes())
  app.use(mountPlugins(api, authorize))
  app.use(routerOf([...others, openApi], authorize).routes())
  app.use(unmatched)
  return app
}

function openApiEndpoint(api: ApiScope, others: readonly Endpoint[]): Endpoint {
  const endpoint: Endpoint = {
    method: 'GET',
    path: '/openapi.json',
    summary: 'This description',
    scope: 'read',
    handle: (ctx) => sendJson(ctx, 200, openApiDocument([...others, endpoint], api.host.statuses(), api.version, api.auth.keys.length > 0)),
  }
  return endpoint
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const refused = (error: Error): void => {
      reject(new XCoreError('config_invalid', `Cannot listen on ${host}:${port}: ${messageOf(error)}. Choose another http.host or http.port.`, { cause: error }))
    }
    server.once('error', refused)
    server.listen(port, host, () => {
      server.removeListener('error', refused)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

function closeServer(server: Server, deadlineMs: number): Promise<void> {
  if (!server.listening) return Promise.resolve()
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), deadlineMs)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}
