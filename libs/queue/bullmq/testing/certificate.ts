import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PRESENT = spawnSync('openssl', ['version']).status === 0
// Without a key it ends at once; built without TLS it does not know the directive.
const REDIS = spawnSync('redis-server', ['--port', '0', '--tls-port', '1'], { encoding: 'utf8', timeout: 5_000 })
const REDIS_HAS_TLS = REDIS.error === undefined && !`${REDIS.stdout}${REDIS.stderr}`.includes('Bad directive')

/** Options for a test that needs TLS: without openssl it is left out and says why. With CI=true it runs, and so fails. */
export const NEEDS_TLS: { readonly skip?: string } =
  (PRESENT && REDIS_HAS_TLS) || process.env['CI'] === 'true' ? {} : { skip: 'no openssl, or a redis-server without TLS, on this machine' }

export interface TestCertificate extends AsyncDisposable {
  readonly certFile: string
  readonly keyFile: string
  /** What redis-server has to be told to speak TLS, and nothing else, on a port. */
  serverArgs(port: number): string[]
}

/** A certificate that signs itself, for two days, for `names`: `DNS:localhost`, `IP:127.0.0.1`. */
export async function makeCertificate(names: readonly string[]): Promise<TestCertificate> {
  const folder = await mkdtemp(join(tmpdir(), 'xcore-certificate-'))
  const certFile = join(folder, 'cert.pem')
  const keyFile = join(folder, 'key.pem')
  const { status, stderr } = spawnSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', '/CN=xcore test', '-addext', `subjectAltName=${names.join(',')}`, '-keyout', keyFile, '-out', certFile],
    ],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`openssl made no certificate:\n${stderr}`)
  const tls = ['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', certFile, '--tls-auth-clients', 'no']
  return {
    certFile,
    keyFile,
    serverArgs: (port) => ['--port', '0', '--tls-port', String(port), ...tls],
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
