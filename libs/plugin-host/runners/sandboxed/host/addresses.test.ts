import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isPublicAddress } from './addresses.ts'

test('only addresses of the public internet', () => {
  for (const address of ['1.1.1.1', '93.184.216.34', '172.32.0.1', '2606:4700::1111', '2a00:1450::1'])
    assert.ok(isPublicAddress(address), address)
  const hidden = [
    ...[
      '127.0.0.1',
      '0.0.0.0',
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '224.0.0.1',
      '255.255.255.255',
    ],
    ...[
      '::1',
      '::',
      'fe80::1',
      'fe80::1%eth0',
      'fd00::1',
      'ff02::1',
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '64:ff9b::7f00:1',
      '2002:7f00:1::',
      '2001:db8::1',
      '2001::1',
    ],
    ...['localhost', '', '1.2.3', '0x7f.1'],
  ]
  for (const address of hidden) assert.ok(!isPublicAddress(address), address)
})

test('nothing below 10/8 or fc00::/7 is public', () => {
  fc.assert(fc.property(fc.ipV4(), (address) => !isPublicAddress(address.replace(/^\d+/, '10'))))
  fc.assert(fc.property(fc.ipV6(), (address) => !/^f[cd]/.test(address) || !isPublicAddress(address)))
})
