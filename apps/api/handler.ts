import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ApiDeps, Scope } from './deps.ts'

/** What the api notes about a request while it handles it. */
export interface ApiState {
  /** The route's pattern, the label of its metrics. */
  route?: string
  /** The job or event that the request made; it is also the correlation id of all that follows from it. */
  madeId?: string
  /** Of the request's span, or as it was sent. */
  traceparent?: string
  /** The name of the key. */
  caller?: string
}

/** One request and its answer, as endpoints see them: Koa's context, or the slimmer one of direct calls (direct-call.ts). */
export interface ApiContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly state: ApiState
  readonly method: string
  readonly path: string
  readonly querystring: string
  readonly protocol: string
  readonly ip: string
  status: number
  body: unknown
  /** Sets a header of the answer. */
  set(field: string, value: string): void
}

/** What handlers work with. */
export interface ApiScope extends ApiDeps {
  readonly now: () => Date
  /** Aborts when the process begins to stop. */
  readonly stopping: AbortSignal
}

/** One endpoint of the platform's own API; also a line of /openapi.json. */
export interface Endpoint {
  readonly method: 'GET' | 'POST'
  /** A pattern of @koa/router. */
  readonly path: string
  readonly summary: string
  /** null: open to everybody. */
  readonly scope: Scope | null
  readonly handle: (ctx: ApiContext, params: Readonly<Record<string, string>>) => Promise<void> | void
}

/** Answers JSON. Koa would do the same in more steps: this is the hot path of every call. */
export function sendJson(ctx: ApiContext, status: number, body: object): void {
  ctx.status = status
  ctx.set('Content-Type', 'application/json; charset=utf-8')
  ctx.body = JSON.stringify(body)
}
