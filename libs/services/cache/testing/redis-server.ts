import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Whether tests can start a Redis of their own. */
export const REDIS_INSTALLED = spawnSync('redis-server', ['--version']).status === 0

export interface RedisServer extends AsyncDisposable {
  readonly url: string
}

/** A Redis on a free port that keeps nothing; ended with `await using`. */
export async function startRedis(): Promise<RedisServer> {
  const dir = await mkdtemp(join(tmpdir(), 'xcore-redis-'))
  const port = await freePort()
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const stop = async () => {
    child.kill('SIGKILL')
    await ended
    await rm(dir, { recursive: true, force: true })
  }
  for await (const line of createInterface({ input: child.stdout })) {
    if (!/Ready to accept connections/.test(line)) continue
    child.stdout.resume()
    return { url: `redis://127.0.0.1:${port}/0`, [Symbol.asyncDispose]: stop }
  }
  await stop()
  throw new Error('Expected redis-server to start, but it ended; its log is above.')
}

// Redis takes no port 0 that it would tell: between the two somebody else might take this one, which then shows as a failed start.
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('Expected a port.')
  return address.port
}
