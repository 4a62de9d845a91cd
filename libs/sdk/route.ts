import type { RouterContext } from '@koa/router'
import type { Static, TSchema } from 'typebox'
import { Convert } from 'typebox/value'
import { validated } from './validated.ts'

/** What a route takes and answers. */
export interface RouteSchemas {
  /** Of the path: texts, or numbers and booleans written as such. */
  readonly params?: TSchema
  /** Of the query: texts, numbers and booleans; a name that comes twice is a list. */
  readonly query?: TSchema
  readonly body?: TSchema
  /** Of the answer: for /openapi.json and the handler's type; what is answered is not checked. */
  readonly response?: TSchema
  /** 200–299. Default: 200. */
  readonly status?: number
  readonly summary?: string
}

type Part<Schemas extends RouteSchemas, Name extends 'params' | 'query' | 'body'> = Schemas[Name] extends TSchema
  ? Static<Schemas[Name]>
  : undefined

/** What of the request has been checked. */
export interface RouteInput<Schemas extends RouteSchemas> {
  readonly params: Part<Schemas, 'params'>
  readonly query: Part<Schemas, 'query'>
  readonly body: Part<Schemas, 'body'>
}

/** The value is the answer's body, JSON. undefined: the handler has answered through `ctx`. */
export type RouteAnswer<Schemas extends RouteSchemas> = Schemas['response'] extends TSchema ? Static<Schemas['response']> : unknown

const declared = new WeakMap<object, RouteSchemas>()

/**
 * A handler of a route whose input is checked and typed, listed in /openapi.json: `router.post('/', route({ body: NewItem }, handler))`.
 * What does not fit is answered with 422 `validation_error` before the handler is called.
 */
export function route<const Schemas extends RouteSchemas>(
  schemas: Schemas,
  handler: (ctx: RouterContext, input: RouteInput<Schemas>) => RouteAnswer<Schemas> | Promise<RouteAnswer<Schemas>>,
): (ctx: RouterContext) => Promise<void> {
  async function declaredRoute(ctx: RouterContext): Promise<void> {
    const input = {
      params: fromText(schemas.params, ctx.params),
      query: fromText(schemas.query, { ...ctx.query }),
      body: schemas.body === undefined ? undefined : validated(schemas.body, ctx.request.body),
    } as RouteInput<Schemas>
    const answer = await handler(ctx, input)
    if (answer === undefined) return
    ctx.status = schemas.status ?? 200
    ctx.body = answer
  }
  declared.set(declaredRoute, schemas)
  return declaredRoute
}

/** For the host: what a middleware of a router was declared with. */
export function routeSchemasOf(middleware: unknown): RouteSchemas | undefined {
  return typeof middleware === 'function' ? declared.get(middleware) : undefined
}

/** Texts become what the schema wants where that is clear: `"5"` a number, `"true"` a boolean. */
function fromText(schema: TSchema | undefined, values: unknown): unknown {
  return schema === undefined ? undefined : validated(schema, Convert(schema, values))
}
