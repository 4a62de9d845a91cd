import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { XCoreError, messageOf } from '../../libs/errors/index.ts'
import { problem, problemJson, reasonPhrase } from './problem.ts'

/** Against slow clients: how long headers, and headers plus body, may take to arrive. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const CHECK_INTERVAL_MS = 5000
/** Longer than the idle timeouts of usual proxies, so that they close first. */
const KEEP_ALIVE_MS = 65_000

export type RequestListener = (req: IncomingMessage, res: ServerResponse) => void

/** A server that is not listening yet. `limit`: of bodies, in bytes; whoever asks before sending a larger one is told at once. */
export function createHttpServer(listener: RequestListener, limit: number): Server {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    listener,
  )
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    if (Number(req.headers['content-length'] ?? 0) <= limit) res.writeContinue()
    // The body will not come, so the connection is of no further use.
    else res.setHeader('Connection', 'close')
    listener(req, res)
  })
  server.on('clientError', answerBrokenRequest)
  return server
}

const BROKEN_STATUS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

/** What is not HTTP, or came too slowly, never becomes a request. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const status = BROKEN_STATUS[error.code ?? ''] ?? 400
  const body = JSON.stringify(problemJson(problem('bad_request', `The request could not be read: ${reasonPhrase(status)}.`, { status })))
  socket.end(
    `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

/** Resolves with the port. Throws `config_invalid` when the address cannot be bound. */
export function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const refused = (error: Error): void => {
      reject(
        new XCoreError('config_invalid', `Cannot listen on ${host}:${port}: ${messageOf(error)}. Choose another http.host or http.port.`, {
          cause: error,
        }),
      )
    }
    server.once('error', refused)
    server.listen(port, host, () => {
      server.removeListener('error', refused)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

/** Stops accepting, waits for requests in flight, cuts them at the deadline. */
export function closeServer(server: Server, deadlineMs: number): Promise<void> {
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
