import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authorize } from './auth.ts'
import type { ApiContext, ApiState, Endpoint } from './handler.ts'
import type { RequestListener } from './http-server.ts'
import type { observe } from './observe.ts'
import { runEndpoint } from './routing.ts'

/** A call whose path needs no decoding. Any other spelling goes the way of all requests, to the same endpoint. */
const PLAIN_CALL = /^\/ipc\/([a-z][a-z0-9_-]{0,62})\/([\w.-]{1,200})$/

export interface DirectCallOptions {
  /** `POST /ipc/:plugin/:action`. */
  readonly endpoint: Endpoint
  readonly authorize: Authorize
  readonly observed: ReturnType<typeof observe>
  /** Told what broke while an answer was sent. */
  readonly unsent: (error: unknown) => void
  /** Takes every other request. */
  readonly others: RequestListener
}

/**
 * Handles plain calls on Node's own request and response: the same endpoint within the same `observe`, but without Koa's context, router
 * and response, which took 15 % of the api's CPU (docs/adr/0013-direct-calls.md).
 */
export function directCalls({ endpoint, authorize, observed, unsent, others }: DirectCallOptions): RequestListener {
  return (req, res) => {
    const call = req.method === 'POST' ? PLAIN_CALL.exec(req.url ?? '') : null
    if (call === null) {
      others(req, res)
      return
    }
    const [path, plugin = '', action = ''] = call
    const ctx = new CallContext(req, res, path)
    observed(ctx, () => runEndpoint(endpoint, authorize, ctx, { plugin, action }))
      .then(() => ctx.send())
      .catch(unsent)
  }
}

/** What an endpoint sees of a direct call. */
class CallContext implements ApiContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly path: string
  readonly state: ApiState = {}
  readonly method = 'POST'
  readonly querystring = ''
  readonly protocol = 'http'
  status = 404
  body: unknown = ''
  readonly #headers: Record<string, string | number> = {}

  constructor(req: IncomingMessage, res: ServerResponse, path: string) {
    this.req = req
    this.res = res
    this.path = path
  }

  get ip(): string {
    return this.req.socket.remoteAddress ?? ''
  }

  set(field: string, value: string): void {
    this.#headers[field] = value
  }

  send(): void {
    const text = typeof this.body === 'string' ? this.body : ''
    this.#headers['Content-Length'] = Buffer.byteLength(text)
    this.res.writeHead(this.status, this.#headers).end(text)
  }
}
