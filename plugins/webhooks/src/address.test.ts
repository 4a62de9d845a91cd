import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkUrl, ForbiddenAddress, isPublicAddress, publicLookup } from './address.ts'

test('only public unicast addresses are public', () => {
  for (const address of ['1.1.1.1', '8.8.8.8', '172.32.0.1', '192.169.0.1', '2606:4700::1111', '::ffff:8.8.8.8']) {
    assert.equal(isPublicAddress(address), true, address)
  }
  const refused = [
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
  ]
  refused.push(
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    'fe80::1',
    'fd00::1',
    'ff02::1',
  )
  refused.push('64:ff9b::7f00:1', '2002:7f00:1::', '2001:db8::1', 'not an address', '')
  for (const address of refused) assert.equal(isPublicAddress(address), false, address)
})

test('URLs: http and https without a login, no private address in any spelling', () => {
  for (const url of ['https://example.com/hook', 'http://example.com:8080/x?y=1', 'https://8.8.8.8/', 'https://[2606:4700::1111]/']) {
    assert.equal(checkUrl(url, false).ok, true, url)
  }
  const spellings = [
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
  ]
  for (const url of [...spellings, 'http://localhost:3000/', 'http://a.localhost/', 'http://169.254.169.254/latest/meta-data']) {
    assert.equal(checkUrl(url, false).ok, false, url)
    assert.equal(checkUrl(url, true).ok, true, url)
  }
  for (const url of ['', 'example.com', '/hook', 'ftp://example.com/', 'file:///etc/passwd', 'https://user:pass@example.com/']) {
    assert.equal(checkUrl(url, true).ok, false, url)
  }
})

test('a name that resolves to a private address is refused at the moment of connecting', async () => {
  const { promise, resolve } = Promise.withResolvers<NodeJS.ErrnoException | null>()
  publicLookup('localhost', { all: true }, (error) => resolve(error))
  const error = await promise
  assert.ok(error instanceof ForbiddenAddress)
  assert.match(error.message, /allow_private/)
})
