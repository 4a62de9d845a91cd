import type { PermissionVerb } from './context.ts'

/** Throws XCoreError `permission_denied` when the plugin may not ask that host. */
export type HostCheck = (resource: string, verb: PermissionVerb) => void

let checkOfHost: HostCheck = () => {}

/** For the host only: whom to ask about calls of the exported `fetch`, which knows no plugin. */
export function provideHostCheck(check: HostCheck): void {
  checkOfHost = check
}

/**
 * The platform's `fetch`, within what the manifest allows: `net:<host>` with `read` for GET and HEAD, `write` for all other methods, at
 * the first request and at every redirect. Rejects with XCoreError `permission_denied`, and as the global one does. What a plugin does
 * past it (the global `fetch`, sockets) is not checked in `trusted` mode.
 */
export function fetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  return checkedFetch(checkOfHost, input, init)
}

const MAX_REDIRECTS = 20
const REDIRECTS = [301, 302, 303, 307, 308]
/** Never sent on to another origin. */
const PRIVATE_HEADERS = ['authorization', 'cookie', 'proxy-authorization', 'host']

export async function checkedFetch(check: HostCheck, input: string | URL | Request, init: RequestInit): Promise<Response> {
  const start = input instanceof Request ? await taken(input, init) : { url: new URL(input), init }
  const wish = start.init.redirect ?? 'follow'
  let { url, init: current } = start
  for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
    if (/^https?:$/.test(url.protocol)) check(`net:${hostOf(url)}`, verbOf(current.method))
    const response = await globalThis.fetch(url, { ...current, redirect: 'manual' })
    const location = REDIRECTS.includes(response.status) ? response.headers.get('location') : null
    if (location === null || wish === 'manual') return response
    await response.body?.cancel()
    if (wish === 'error') throw new TypeError(`fetch: ${url.origin} redirects, and redirect is 'error'`)
    const next = new URL(location, url)
    current = redirected(current, response.status, next.origin !== url.origin)
    url = next
  }
  throw new TypeError(`fetch: expected at most ${MAX_REDIRECTS} redirects, found more, at ${url.origin}`)
}

/** As the Fetch standard has it: what a redirect makes of a request. */
function redirected(init: RequestInit, status: number, otherOrigin: boolean): RequestInit {
  const method = (init.method ?? 'GET').toUpperCase()
  const headers = new Headers(init.headers)
  if (otherOrigin) for (const name of PRIVATE_HEADERS) headers.delete(name)
  if ((status === 303 && method !== 'HEAD') || (status <= 302 && method === 'POST')) {
    for (const name of ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length']) headers.delete(name)
    return { ...init, method: method === 'HEAD' ? 'HEAD' : 'GET', headers, body: null }
  }
  if (init.body instanceof ReadableStream)
    throw new TypeError('fetch: a body that is a stream cannot be sent again to where it is redirected')
  return { ...init, headers }
}

/** A Request in parts, with its body read, so that it can be sent again. */
async function taken(request: Request, init: RequestInit): Promise<{ url: URL; init: RequestInit }> {
  const { method, headers, redirect, signal } = request
  const body = request.body === null ? null : await request.arrayBuffer()
  return { url: new URL(request.url), init: { method, headers, redirect, signal, body, ...init } }
}

/** Without the brackets of IPv6, which a glob would take for a set, and without the final dot, which would slip past a rule. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
}

function verbOf(method = 'GET'): PermissionVerb {
  return /^(GET|HEAD)$/i.test(method) ? 'read' : 'write'
}
