import { lookup } from 'node:dns'
import type { LookupAddress, LookupOptions } from 'node:dns'
import { BlockList, isIP } from 'node:net'

// Everything that is not a public unicast address (IANA special-purpose registries). BlockList also applies the
// IPv4 rules to IPv4-mapped IPv6 addresses.
const NOT_PUBLIC = new BlockList()
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  NOT_PUBLIC.addSubnet(net, bits, 'ipv4')
for (const [net, bits] of [
  ['::', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const)
  NOT_PUBLIC.addSubnet(net, bits, 'ipv6')

/** True for an address on the open Internet. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address)
  return version !== 0 && !NOT_PUBLIC.check(address, version === 6 ? 'ipv6' : 'ipv4')
}

export class ForbiddenAddress extends Error {
  override readonly name = 'ForbiddenAddress'
}

export type UrlCheck = { readonly ok: true; readonly url: URL } | { readonly ok: false; readonly reason: string }

/** Checks an endpoint's URL as far as it can be checked without a name look-up. */
export function checkUrl(text: string, allowPrivate: boolean): UrlCheck {
  if (!URL.canParse(text)) return { ok: false, reason: 'expected an absolute http or https URL' }
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { ok: false, reason: `expected http or https, found ${url.protocol}` }
  if (url.username !== '' || url.password !== '') return { ok: false, reason: 'a URL with a user or password in it is refused' }
  const host = hostOf(url)
  if (!allowPrivate && (host === 'localhost' || host.endsWith('.localhost') || (isIP(host) !== 0 && !isPublicAddress(host)))) {
    return { ok: false, reason: privateReason(host) }
  }
  return { ok: true, url }
}

/** The host name without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

/**
 * A `lookup` for node:http that refuses names which resolve to an address that is not public. Checked at the moment of
 * connecting and on the very address that is used, so a name that changes its mind between check and use gains nothing.
 */
export function publicLookup(
  host: string,
  options: LookupOptions,
  done: (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void,
): void {
  lookup(host, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return done(error, [])
    const forbidden = addresses.find((found) => !isPublicAddress(found.address))
    if (forbidden !== undefined) return done(new ForbiddenAddress(privateReason(`${host} (${forbidden.address})`)), [])
    const [first] = addresses
    if (options.all === true || first === undefined) return done(null, addresses)
    done(null, first.address, first.family)
  })
}

function privateReason(host: string): string {
  return `${host} is not a public address; set allow_private: true in the config of plugin webhooks to deliver to private ones`
}
