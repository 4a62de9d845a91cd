import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { ApiKey } from '../../libs/config/index.ts'
import { XCoreError, messageOf } from '../../libs/errors/index.ts'
import type { Metrics } from '../../libs/telemetry/index.ts'
import type { Logger } from '../../libs/telemetry/index.ts'
import { createAuthorize, requireLoopback } from '../platform/auth.ts'
import type { Authorize } from '../platform/auth.ts'
import { AuthRefused, createAuthWatch } from '../platform/auth-failures.ts'
import type { Readiness } from '../platform/readiness.ts'

export interface MetricsServerOptions {
  readonly metrics: Pick<Metrics, 'render' | 'authFailuresTotal'>
  /** With keys, `/metrics` asks for one with the scope `read`; without, only this machine is served. */
  readonly keys: readonly ApiKey[]
  readonly readiness: () => Promise<Readiness>
  readonly logger: Logger
}

export interface MetricsServer {
  /** Port 0 picks a free one. Throws XCoreError `config_invalid`: no keys and a host that is not loopback, or the address cannot be bound. */
  listen(host: string, port: number): Promise<{ readonly url: string; readonly port: number }>
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

/** `/metrics`, `/livez` and `/readyz[?verbose]` of a worker, which has no api. Tells no secrets, takes no commands. */
export function createMetricsServer(options: MetricsServerOptions): MetricsServer {
  const authorize = createAuthorize(options.keys)
  const watch = createAuthWatch(options.metrics, options.logger)
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    answer(options, authorize, request)
      .catch((error: unknown): Answer => {
        if (error instanceof AuthRefused) {
          watch({ refused: error, address: request.socket.remoteAddress ?? '', route: '/metrics' })
          return text(error.code === 'unauthorized' ? 401 : 403, error.message)
        }
        options.logger.warn({ err: error, path: request.url }, 'Could not answer')
        return text(500, 'internal error')
      })
      .then(
        (result) => send(request, response, result),
        () => response.destroy(),
      )
  })
  return {
    async listen(host, port) {
      requireLoopback(host, options.keys)
      return bind(server, host, port)
    },
    async close() {
      if (!server.listening) return
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      server.closeAllConnections()
      await closed.promise
    },
  }
}

async function answer({ metrics, readiness }: MetricsServerOptions, authorize: Authorize, request: IncomingMessage): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET')
  const [path, query = ''] = (request.url ?? '/').split('?')
  switch (path) {
    case '/metrics': {
      authorize(request.headers, 'read')
      const { contentType, body } = await metrics.render(request.headers.accept)
      return { status: 200, type: contentType, body }
    }
    case '/livez':
      return json(200, { status: 'ok' })
    case '/readyz': {
      const { ready, checks } = await readiness()
      return json(ready ? 200 : 503, {
        status: ready ? 'ok' : 'not_ready',
        ...(new URLSearchParams(query).has('verbose') ? { checks } : {}),
      })
    }
    default:
      return text(404, 'not found: a worker answers /metrics, /livez and /readyz')
  }
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` }
}

function json(status: number, body: object): Answer {
  return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(body) }
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    ...(status === 503 ? { 'retry-after': '1' } : {}),
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

function bind(server: Server, host: string, port: number): Promise<{ url: string; port: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ url: string; port: number }>()
  const refused = (error: Error) =>
    reject(
      new XCoreError(
        'config_invalid',
        `worker.metrics_port: cannot listen on ${host}:${port}: ${messageOf(error)}. Set XCORE_WORKER_METRICS_PORT to another port, or to 0 for a free one.`,
        { cause: error },
      ),
    )
  server.once('error', refused)
  server.listen(port, host, () => {
    server.off('error', refused)
    const address = server.address()
    const bound = typeof address === 'object' && address !== null ? address.port : port
    resolve({ port: bound, url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}` })
  })
  return promise
}
