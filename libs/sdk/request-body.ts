// What the host adds to a request before a plugin's route sees it.
declare module 'koa' {
  interface Request {
    /** JSON, form or text as parsed by the host; undefined when there is none. Check it: `validated(Schema, ctx.request.body)`. */
    body?: unknown
    /** The very bytes that came, for checks of signatures. */
    rawBody?: Buffer
  }
}
export {}
