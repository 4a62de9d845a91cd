import { isIPv6 } from 'node:net'
import Koa from 'koa'
import { createAuthorize, requireLoopback } from './auth.ts'
import { consoleEndpoints } from './console/endpoints.ts'
import { directCalls } from './direct-call.ts'
import type { Api, ApiDeps } from './deps.ts'
import { sendJson, type ApiScope, type ApiState, type Endpoint } from './handler.ts'
import { bind, closeServer, createHttpServer } from './http-server.ts'
import type { RequestListener } from './http-server.ts'
import { observe } from './observe.ts'
import { openApiDocument } from './openapi.ts'
import { mountPlugins } from './plugin-mount.ts'
import { adminEndpoints } from './routes/admin.ts'
import { eventEndpoint } from './routes/events.ts'
import { ipcEndpoint } from './routes/ipc.ts'
import { jobEndpoints } from './routes/jobs.ts'
import { operationEndpoints } from './routes/operations.ts'
import { pluginVersionsEndpoint } from './routes/plugin-versions.ts'
import { scheduleEndpoints } from './routes/schedules.ts'
import { replayEndpoints } from './routes/replays.ts'
import { routerOf, unmatched } from './routing.ts'

const HUNG_UP: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE'])

/** The HTTP side of XCore (contract: HTTP). Takes what it needs from `deps`, opens only its own sockets. */
export function createApi(deps: ApiDeps): Api {
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  if (deps.draining?.aborted) stop()
  deps.draining?.addEventListener('abort', stop, { once: true })
  const api: ApiScope = { ...deps, now: deps.now ?? (() => new Date()), stopping: stopping.signal }
  const server = createHttpServer(createListener(api), deps.limits.payloadBytes)
  let closed: Promise<void> | undefined
  return {
    async listen(host, port) {
      requireLoopback(host, deps.auth.keys)
      const bound = await bind(server, host, port)
      return { port: bound, url: `http://${isIPv6(host) ? `[${host}]` : host}:${bound}` }
    },
    close(deadlineMs) {
      stop()
      deps.draining?.removeEventListener('abort', stop)
      closed ??= closeServer(server, deadlineMs)
      return closed
    },
  }
}

function createListener(api: ApiScope): RequestListener {
  const authorize = createAuthorize(api.auth.keys)
  const app = new Koa<ApiState>()
  // What gets past `observe` broke while the answer was sent; mostly callers who hung up.
  const unsent = (error: unknown): void => {
    const hungUp = error instanceof Error && 'code' in error && HUNG_UP.has(String(error.code))
    api.logger[hungUp ? 'debug' : 'warn']({ err: error }, 'an answer could not be sent')
  }
  app.on('error', unsent)
  const ipc = ipcEndpoint(api)
  const { page, files } = consoleEndpoints()
  const rest = [
    eventEndpoint(api),
    ...replayEndpoints(api),
    ...jobEndpoints(api),
    ...adminEndpoints(api),
    ...scheduleEndpoints(api),
    pluginVersionsEndpoint(api),
    ...operationEndpoints(api),
    page,
  ]
  const openApi = openApiEndpoint(api, [ipc, ...rest])
  const observed = observe(api)
  app.use(observed)
  // Calls that are not as plain as the direct ones come here: first, since they are the most frequent.
  app.use(routerOf([ipc], authorize).routes())
  app.use(mountPlugins(api, authorize))
  app.use(routerOf([...rest, openApi, files], authorize).routes())
  app.use(unmatched)
  const others = app.callback()
  return directCalls({ endpoint: ipc, authorize, observed, unsent, others: (req, res) => void others(req, res) })
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
