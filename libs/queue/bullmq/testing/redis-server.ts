import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const PROBE = spawnSync('redis-server', ['--version'], { encoding: 'utf8' })
const PRESENT = PROBE.error === undefined && PROBE.status === 0

/**
 * Options for a suite that needs Redis: on a machine without one it is left out and says why. With CI=true it runs, and so fails.
 */
export const NEEDS_REDIS: { readonly skip?: string } =
  PRESENT || process.env['CI'] === 'true' ? {} : { skip: 'no redis-server on this machine (Debian: apt-get install redis-server)' }

export interface RedisTestServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly folder: string
  /** Ends it; its port stays ours. `kill`: without a word. */
  stop(): Promise<void>
  /** Starts it again on the same port, with what its append-only file holds, else empty. */
  start(): Promise<void>
}

/** A Redis of the test's own, without a disk unless `args` say otherwise. They come last, so they win. */
export async function startRedisServer(args: readonly string[] | ((port: number) => readonly string[]) = []): Promise<RedisTestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'xcore-redis-'))
  const port = await freePort()
  let stop = async () => {}
  const start = async () => {
    const base = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no']
    const own = typeof args === 'function' ? args(port) : args
    const server = spawn('redis-server', [...base, ...own], { stdio: ['ignore', 'pipe', 'inherit'] })
    stop = async () => {
      if (server.exitCode !== null || server.signalCode !== null) return
      const ended = once(server, 'exit')
      server.kill('SIGKILL')
      await ended
    }
    const output: string[] = []
    let ready = false
    for await (const line of createInterface({ input: server.stdout })) {
      output.push(line)
      ready = line.includes('Ready to accept connections')
      if (ready) break
    }
    if (!ready) throw new Error(`redis-server ended before it was ready:\n${output.join('\n')}`)
    server.stdout.resume()
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    folder,
    start,
    stop: () => stop(),
    async [Symbol.asyncDispose]() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
