import { lookup } from 'node:dns/promises'
import { request as requestHttp } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { Type } from 'typebox'
import { XCoreError, messageOf } from '../../../../errors/index.ts'
import type { Manifest } from '../../../../manifest/manifest.ts'
import type { Permissions } from '../../../permissions/permissions.ts'
import { isPublicAddress } from './addresses.ts'
import { operation } from './calls.ts'
import type { Operation, WorkContext } from './calls.ts'
import type { Work } from './end.ts'

export interface FetchContext {
  readonly manifest: Pick<Manifest, 'name' | 'permissions'>
  readonly permissions: Permissions
  readonly contextOf: (work: Work) => WorkContext
  readonly now: () => Date
  /** All addresses of a host name. Default: the system's resolver. */
  readonly resolve?: (host: string) => Promise<readonly string[]>
}

const MAX_REQUEST_BYTES = 1024 * 1024
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024
const LONGEST_MS = 30_000
const MAX_AT_ONCE = 50
/** How the connection is used is the host's to say. */
const NOT_THE_PLUGINS = new Set([
  'host',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'proxy-authorization',
  'proxy-connection',
  'accept-encoding',
])

const Request = Type.Object(
  {
    url: Type.String({ maxLength: 8_192 }),
    method: Type.String({ pattern: '^[A-Z]{1,16}$' }),
    headers: Type.Array(
      Type.Tuple([
        Type.String({ maxLength: 256, pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" }),
        Type.String({ maxLength: 8_192, pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$' }),
      ]),
      { maxItems: 100 },
    ),
    body: Type.Union([Type.Null(), Type.String({ maxLength: Math.ceil((MAX_REQUEST_BYTES * 4) / 3) + 4 })]),
  },
  { additionalProperties: false },
)

/**
 * One request, without following redirects: each hop is asked for, and checked, on its own. Host and verb are checked against the
 * manifest, then the addresses of the host: those that are not public only when the manifest names the host or the address itself.
 * The connection goes to a checked address, so that a second answer of the DNS changes nothing.
 */
export function fetchOperation(context: FetchContext): Operation {
  const resolve = context.resolve ?? resolveAll
  const named = literalHosts(context.manifest)
  let atOnce = 0
  return operation('fetch', Request, async (asked, work) => {
    const url = urlOf(asked.url)
    const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
    context.permissions.check(`net:${host}`, asked.method === 'GET' || asked.method === 'HEAD' ? 'read' : 'write')
    if (atOnce >= MAX_AT_ONCE)
      throw new XCoreError('rate_limit_exceeded', `fetch: expected at most ${MAX_AT_ONCE} requests at once, found one more; await some`, {
        retryAfterSeconds: 1,
      })
    atOnce += 1
    try {
      const address = await checkedAddress(host, named, resolve, context.manifest.name)
      const { deadline } = context.contextOf(work)
      const left = deadline === null ? LONGEST_MS : deadline.getTime() - context.now().getTime()
      const signal = AbortSignal.any([work.signal, AbortSignal.timeout(Math.max(1, Math.min(LONGEST_MS, left)))])
      return await send(url, address, asked, signal)
    } finally {
      atOnce -= 1
    }
  })
}

function urlOf(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) throw new XCoreError('bad_request', 'fetch: expected an http or https URL')
  return url
}

/** Hosts and addresses that a rule allows by their very name, without wildcards. */
function literalHosts({ permissions }: Pick<Manifest, 'permissions'>): ReadonlySet<string> {
  const names = (permissions ?? []).filter(
    ({ resource, effect }) => effect === 'allow' && resource.startsWith('net:') && !/[*?[\]]/.test(resource),
  )
  return new Set(names.map(({ resource }) => resource.slice('net:'.length).toLowerCase()))
}

async function checkedAddress(
  host: string,
  named: ReadonlySet<string>,
  resolve: NonNullable<FetchContext['resolve']>,
  plugin: string,
): Promise<string> {
  const addresses = isIP(host) > 0 ? [host] : await resolve(host).catch((thrown: unknown) => failed(host, messageOf(thrown)))
  const [first] = addresses
  if (first === undefined) return failed(host, 'it has no address')
  const hidden = addresses.find(
    (address) => !isPublicAddress(address) && !named.has(host.toLowerCase()) && !named.has(address.toLowerCase()),
  )
  if (hidden === undefined) return first
  throw new XCoreError(
    'permission_denied',
    `plugin ${plugin} may not reach ${host}: it leads to ${hidden}, which is not a public address; if it is meant to, name it: {resource: "net:${host}"}`,
    { details: { plugin, resource: `net:${hidden}`, verb: 'read' } },
  )
}

async function resolveAll(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

interface Asked {
  readonly method: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string | null
}

function send(url: URL, address: string, { method, headers, body }: Asked, signal: AbortSignal): Promise<object> {
  return new Promise((resolve, reject) => {
    const fail = (thrown: unknown) => reject(thrown instanceof XCoreError ? thrown : asFetchError(url, thrown))
    const own: Record<string, string | string[]> = { 'accept-encoding': 'identity' }
    for (const [name, value] of headers) {
      const key = name.toLowerCase()
      if (NOT_THE_PLUGINS.has(key)) continue
      const before = own[key]
      own[key] = before === undefined ? value : [before, value].flat()
    }
    const bytes = body === null ? null : Buffer.from(body, 'base64')
    if (bytes !== null) own['content-length'] = String(bytes.length)
    const family = isIP(address)
    const send = url.protocol === 'https:' ? requestHttps : requestHttp
    const request = send(url, {
      method,
      headers: own,
      signal,
      agent: false,
      // Whatever the name leads to by now: the address that was checked.
      lookup: (_host, options, done) => (options.all === true ? done(null, [{ address, family }]) : done(null, address, family)),
    })
    request.on('error', fail)
    request.on('response', (response) => void answer(url, response).then(resolve, fail))
    request.on('upgrade', (_response, socket) => {
      socket.destroy()
      fail(new Error('it answered with an upgrade'))
    })
    request.end(bytes ?? undefined)
  })
}

async function answer(url: URL, response: IncomingMessage): Promise<object> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of response) {
    if (!Buffer.isBuffer(piece)) continue
    size += piece.length
    if (size > MAX_RESPONSE_BYTES) {
      response.destroy()
      throw new XCoreError(
        'payload_too_large',
        `fetch: expected an answer of at most ${MAX_RESPONSE_BYTES} bytes from ${url.host}, found more`,
      )
    }
    pieces.push(piece)
  }
  const headers: [string, string][] = []
  for (let index = 0; index + 1 < response.rawHeaders.length; index += 2)
    headers.push([response.rawHeaders[index] ?? '', response.rawHeaders[index + 1] ?? ''])
  return {
    status: response.statusCode ?? 0,
    statusText: response.statusMessage ?? '',
    headers,
    body: Buffer.concat(pieces).toString('base64'),
  }
}

function failed(host: string, why: string): never {
  throw new XCoreError('bad_request', `fetch: ${host} cannot be reached: ${why}`)
}

function asFetchError(url: URL, thrown: unknown): XCoreError {
  if (thrown instanceof Error && (thrown.name === 'TimeoutError' || thrown.name === 'AbortError')) {
    return new XCoreError('timeout', `fetch: ${url.host} did not answer in time`)
  }
  return new XCoreError('bad_request', `fetch: ${url.host}: ${messageOf(thrown)}`)
}
