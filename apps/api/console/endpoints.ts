import { XCoreError } from '../../../libs/errors/index.ts'
import type { ApiContext, Endpoint } from '../handler.ts'
import { readAssets, type Asset } from './assets.ts'

const PAGE = 'page/index.html'

/**
 * Only what comes from here may run, nothing may be embedded or sent elsewhere, no text can become markup (trusted types).
 * Inline scripts and styles are off.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const HEADERS = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // Asked for each time, answered 304: a page must not be older than the api that it talks to.
  'Cache-Control': 'no-cache',
}

/** The console: a page without data. It needs no key; what it shows it asks of the JSON API, with the key that somebody types. */
export function consoleEndpoints(): { readonly page: Endpoint; readonly files: Endpoint } {
  const assets = createAssets()
  return {
    page: {
      method: 'GET',
      path: '/console',
      summary: 'The operator’s console, a page for browsers',
      scope: null,
      async handle(ctx) {
        if (ctx.path.endsWith('/')) return redirect(ctx)
        send(ctx, (await assets()).get(PAGE))
      },
    },
    files: {
      method: 'GET',
      path: '/console/*file',
      summary: 'Scripts and styles of the console',
      scope: null,
      async handle(ctx) {
        send(ctx, (await assets()).get(ctx.path.slice('/console/'.length)))
      },
    },
  }
}

/** Reads the files when somebody first asks: most processes never show the console. */
function createAssets(): () => Promise<ReadonlyMap<string, Asset>> {
  let reading: Promise<ReadonlyMap<string, Asset>> | undefined
  return () => {
    reading ??= readAssets().catch((error: unknown) => {
      reading = undefined
      throw error
    })
    return reading
  }
}

/** The page's own addresses are relative to /console, so that it also works below a prefix of a proxy. */
function redirect(ctx: ApiContext): void {
  ctx.status = 308
  ctx.set('Location', '../console')
}

function send(ctx: ApiContext, asset: Asset | undefined): void {
  for (const [field, value] of Object.entries(HEADERS)) ctx.set(field, value)
  if (asset === undefined) throw new XCoreError('not_found', `The console has no file ${ctx.path}; it begins at GET /console.`)
  ctx.status = 200
  ctx.set('Content-Type', asset.type)
  ctx.set('ETag', asset.etag)
  if (isKnown(asset.etag, ctx.req.headers['if-none-match'])) ctx.status = 304
  else ctx.body = asset.body
}

/** `If-None-Match`, compared weakly: RFC 9110, 13.1.2. */
function isKnown(etag: string, header: string | undefined): boolean {
  const opaque = (tag: string) => tag.trim().replace(/^W\//, '')
  return header !== undefined && (header.trim() === '*' || header.split(',').some((tag) => opaque(tag) === opaque(etag)))
}
