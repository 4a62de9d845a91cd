import { EventEmitter } from 'node:events'
import { Readable, Stream } from 'node:stream'
import Koa from 'koa'
import type { Middleware, ParameterizedContext } from 'koa'
import { messageOf } from '../../../../errors/index.ts'
import { HttpError } from '../../../../sdk/errors.ts'
import { threw } from '../../trusted/outcome.ts'
import type { RouteFrame } from '../wire/frames.ts'

const MAX_BODY_BYTES = 4 * 1024 * 1024

const app = new Koa({ proxy: false })
app.silent = true

/** Runs a plugin's routes on a request that the host received, and makes a frame of the answer. Never rejects. */
export async function answerRoute(middleware: Middleware, frame: RouteFrame): Promise<object> {
  const ctx = contextOf(frame)
  try {
    await middleware(ctx, async () => undefined)
    return { t: 'answer', id: frame.id, status: ctx.status, headers: headersOf(ctx), body: await bodyOf(ctx.body) }
  } catch (thrown) {
    return { t: 'route_failed', id: frame.id, ...failureOf(thrown) }
  }
}

/** Koa's own context, on a request and a response that exist in memory only. */
function contextOf(frame: RouteFrame): ParameterizedContext {
  const headers: Record<string, string> = {}
  for (const [name, value] of frame.headers) headers[name] = value
  const request = Object.assign(Readable.from([]), {
    method: frame.method,
    url: frame.url,
    originalUrl: frame.mountPath + frame.url,
    headers,
    httpVersion: '1.1',
    socket: Object.assign(new EventEmitter(), { encrypted: frame.secure, remoteAddress: frame.ip, writable: true }),
  })
  const ctx = app.createContext(...accepted(request, new MemoryResponse()))
  ctx['mountPath'] = frame.mountPath
  ctx.originalUrl = request.originalUrl
  const body = frame.body === null ? undefined : Buffer.from(frame.body, 'base64')
  Object.assign(ctx.request, body === undefined ? {} : { rawBody: body, body: frame.parsed })
  return ctx
}

/** What Koa asks of a response before it is sent: a status and headers. */
class MemoryResponse extends EventEmitter {
  statusCode = 404
  statusMessage = ''
  headersSent = false
  finished = false
  writable = true
  readonly #headers = new Map<string, number | string | readonly string[]>()

  getHeader(name: string) {
    return this.#headers.get(name.toLowerCase())
  }
  setHeader(name: string, value: number | string | readonly string[]) {
    this.#headers.set(name.toLowerCase(), value)
    return this
  }
  appendHeader(name: string, value: string | readonly string[]) {
    const before = this.getHeader(name)
    return this.setHeader(name, before === undefined ? value : [before, value].flat().map(String))
  }
  removeHeader(name: string) {
    this.#headers.delete(name.toLowerCase())
  }
  hasHeader(name: string) {
    return this.#headers.has(name.toLowerCase())
  }
  getHeaders() {
    return Object.fromEntries(this.#headers)
  }
  getHeaderNames() {
    return [...this.#headers.keys()]
  }
}

// Koa's types ask for Node's own request and response, of which it uses what is here.
function accepted(request: object, response: object): Parameters<Koa['createContext']> {
  const pair: unknown = [request, response]
  if (isPair(pair)) return pair
  throw new Error('unreachable')
}
function isPair(value: unknown): value is Parameters<Koa['createContext']> {
  return Array.isArray(value)
}

function headersOf(ctx: ParameterizedContext): [string, string][] {
  return Object.entries(ctx.response.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each): [string, string] => [name, String(each)]),
  )
}

async function bodyOf(body: unknown): Promise<string | null> {
  if (body === null || body === undefined) return null
  if (typeof body === 'string') return limited(Buffer.from(body))
  if (Buffer.isBuffer(body)) return limited(body)
  if (body instanceof Uint8Array) return limited(Buffer.from(body))
  if (body instanceof Blob) return limited(Buffer.from(await body.arrayBuffer()))
  if (body instanceof Response) return limited(Buffer.from(await body.arrayBuffer()))
  if (body instanceof Stream || body instanceof ReadableStream) {
    throw new Error('a route of a sandboxed plugin cannot answer with a stream; set ctx.body to a text, a Buffer or an object')
  }
  return limited(Buffer.from(JSON.stringify(body)))
}

function limited(bytes: Buffer): string {
  if (bytes.length > MAX_BODY_BYTES)
    throw new Error(`a route of a sandboxed plugin answers with at most ${MAX_BODY_BYTES} bytes, found ${bytes.length}`)
  return bytes.toString('base64')
}

// As the host treats what a trusted route throws: an error with a status of 4xx is told, anything else is not.
function failureOf(thrown: unknown): object {
  const result = threw(thrown)
  const status = statusOf(thrown)
  const expose = status < 500 && (thrown instanceof HttpError || (thrown instanceof Error && Reflect.get(thrown, 'expose') === true))
  const error = result.kind === 'ok' || result.kind === 'interrupted' ? { code: 'handler_error', message: messageOf(thrown) } : result.error
  const code: unknown = thrown instanceof Error ? Reflect.get(thrown, 'code') : undefined
  return { status, expose, error: { ...error, ...(expose && typeof code === 'string' && code !== '' ? { code: code.slice(0, 128) } : {}) } }
}

function statusOf(thrown: unknown): number {
  const status: unknown = thrown instanceof Error ? (Reflect.get(thrown, 'status') ?? Reflect.get(thrown, 'statusCode')) : undefined
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599 ? status : 500
}
