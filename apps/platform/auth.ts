import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { AuthRefused } from './auth-failures.ts'
import type { ApiKey, Scope } from '../../libs/config/index.ts'
import { XCoreError } from '../../libs/errors/index.ts'

/** Checks the key of a request. Throws `unauthorized`, `permission_denied`. Returns the key's name, for logs. */
export type Authorize = (headers: IncomingHttpHeaders, scope: Scope) => string | undefined

/**
 * Compares SHA-256 digests in constant time, and always all of them, so that neither the length nor the position of a key shows in the
 * time it takes. A slow hash would add nothing: keys are random, not chosen by people.
 * With no keys everything on this machine is allowed, except the pages of other sites in somebody's browser.
 */
export function createAuthorize(keys: readonly ApiKey[]): Authorize {
  if (keys.length === 0) return refuseCrossSite
  const known = keys.map((key) => ({ name: key.name, scopes: new Set(key.scopes), digest: digestOf(key.key) }))
  return (headers, scope) => {
    const sent = sentKey(headers)
    if (sent === undefined) {
      throw new AuthRefused('missing', 'A key is needed: send `Authorization: Bearer KEY` or `X-Plugin-Key: KEY`.')
    }
    const digest = digestOf(sent)
    let found: (typeof known)[number] | undefined
    for (const candidate of known) {
      if (timingSafeEqual(candidate.digest, digest)) found = candidate
    }
    if (found === undefined) throw new AuthRefused('unknown', 'The key is not known.')
    if (!found.scopes.has(scope)) {
      throw new AuthRefused('scope', `The key "${found.name}" lacks the scope "${scope}".`, found.name)
    }
    return found.name
  }
}

/** Reading is harmless: another site's page is not shown the answer, and links to this one should work. */
function refuseCrossSite(headers: IncomingHttpHeaders, scope: Scope): undefined {
  if (scope !== 'read' && headers['sec-fetch-site'] === 'cross-site') {
    throw new AuthRefused('cross_site', 'A page of another site may not call XCore without a key: configure auth.keys.')
  }
}

function digestOf(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}

function sentKey(headers: IncomingHttpHeaders): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1]
  if (bearer !== undefined) return bearer
  const own = headers['x-plugin-key']
  return typeof own === 'string' && own !== '' ? own : undefined
}

/** Throws `config_invalid` when others could reach `host` and no key is configured. */
export function requireLoopback(host: string, keys: readonly ApiKey[]): void {
  if (keys.length > 0 || isLoopback(host)) return
  throw new XCoreError(
    'config_invalid',
    `http.host is ${host}, which others can reach, but no key is configured. Set auth.keys (XCORE_API_KEYS), or bind to 127.0.0.1.`,
  )
}

/** Whether only this machine can reach a server bound to `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
