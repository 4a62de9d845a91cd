import { BlockList, isIP } from 'node:net'

/** Addresses that are not on the public internet: this machine, its network, the cloud's own services, groups. IANA special-purpose registries. */
const SPECIAL = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  SPECIAL.addSubnet(network, prefix, 'ipv4')

/** Of IPv6 only what is handed out for the public internet is let through, without the parts that lead to IPv4 elsewhere. */
const GLOBAL_V6 = new BlockList()
GLOBAL_V6.addSubnet('2000::', 3, 'ipv6')
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  SPECIAL.addSubnet(network, prefix, 'ipv6')

/** Whether an IP address is one of the public internet. IPv4 inside IPv6 counts as what it leads to. Pure. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !SPECIAL.check(address, 'ipv4')
    case 6: {
      const plain = address.replace(/%.*$/, '')
      return GLOBAL_V6.check(plain, 'ipv6') && !SPECIAL.check(plain, 'ipv6')
    }
    default:
      return false
  }
}
