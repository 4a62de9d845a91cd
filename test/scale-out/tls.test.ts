import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NEEDS_TLS, makeCertificate } from '../../libs/queue/bullmq/testing/certificate.ts'
import { startRedisServer } from '../../libs/queue/bullmq/testing/redis-server.ts'
import { refused } from './refused.ts'
import { allEnd, call, ground, submit } from './setup.ts'

const LOGIN = ['--user', 'default', 'off', '--user', 'xcore', 'on', '>s3cr#t/', '~*', '&*', '+@all']
const userinfo = `xcore:${encodeURIComponent('s3cr#t/')}`

describe('Redis with TLS', { concurrency: true }, () => {
  test('rediss:// with user, password, database number and a CA of one’s own', NEEDS_TLS, async () => {
    await using certificate = await makeCertificate(['DNS:localhost', 'IP:127.0.0.1'])
    await using redis = await startRedisServer((port) => [...certificate.serverArgs(port), ...LOGIN])
    await using at = await ground()
    const env = { REDIS_URL: `rediss://${userinfo}@localhost:${redis.port}/3`, XCORE_REDIS_CA_FILE: certificate.certFile }
    const api = await at.api(env)
    const worker = await at.worker(env)
    assert.equal((await call(api.url, 'ping', { wait: 20 })).status, 200)
    assert.equal((await call(api.url, 'cached', { wait: 20 })).status, 200)
    await submit(api.url, 'work', 50)
    await allEnd(at, 52)
    // An address instead of a name, and Node's own list of authorities.
    worker.child.kill('SIGTERM')
    await worker.ended
    await at.worker({ REDIS_URL: `rediss://${userinfo}@127.0.0.1:${redis.port}/3`, NODE_EXTRA_CA_CERTS: certificate.certFile })
    assert.equal((await call(api.url, 'ping', { wait: 20 })).status, 200)
  })

  test('a certificate that is not trusted, or is for another name, is refused; so is the wrong protocol', NEEDS_TLS, async () => {
    await using certificate = await makeCertificate(['DNS:redis.example.org'])
    await using redis = await startRedisServer((port) => certificate.serverArgs(port))
    await using plain = await startRedisServer()
    const url = `rediss://:secret@localhost:${redis.port}`
    const [untrusted, otherName, noTls, noFile] = await Promise.all([
      refused({ REDIS_URL: url }),
      refused({ REDIS_URL: url, XCORE_REDIS_CA_FILE: certificate.certFile }),
      refused({ REDIS_URL: `rediss://localhost:${plain.port}` }),
      refused({ REDIS_URL: url, XCORE_REDIS_CA_FILE: '/nowhere/ca.pem' }),
    ])
    assert.match(untrusted.stderr, /Expected a Redis at localhost:\d+, found: self-signed certificate.*XCORE_REDIS_CA_FILE/s)
    assert.match(otherName.stderr, /altnames.*The certificate is for other names/s)
    assert.match(noTls.stderr, /that it speaks TLS on this port; without TLS it is redis:\/\//)
    assert.match(noFile.stderr, /redis\.ca_file: expected a file with certificates in PEM at \/nowhere\/ca\.pem.*XCORE_REDIS_CA_FILE/s)
    for (const { code, stderr } of [untrusted, otherName, noTls, noFile]) {
      assert.ok(code === 1 || code === 2)
      assert.doesNotMatch(stderr, /secret/)
    }
  })
})
