import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { processCpuSeconds } from './cpu.ts'
import { freePort } from './free-port.ts'

export interface RedisServer {
  readonly url: string
  readonly version: string
  cpuSeconds(): number
  stop(): Promise<void>
}

/**
 * Starts a Redis of its own, with the append-only file flushed every second (what one runs when jobs matter) and no eviction.
 * undefined: the machine has no `redis-server`.
 */
export async function startRedis(): Promise<RedisServer | undefined> {
  const probe = spawnSync('redis-server', ['--version'], { encoding: 'utf8' })
  if (probe.error || probe.status !== 0) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'xcore-bench-redis-'))
  const port = await freePort()
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--appendfsync', 'everysec']
  const server = spawn('redis-server', [...settings, '--save', '', '--maxmemory-policy', 'noeviction'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const { pid } = server
  if (pid === undefined) throw new Error('redis-server did not start')
  const killNow = () => server.kill('SIGKILL')
  process.once('exit', killNow) // also when the bench ends by an error
  const stop = async () => {
    process.off('exit', killNow)
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGTERM')
      await once(server, 'exit')
    }
    await rm(folder, { recursive: true, force: true })
  }
  try {
    for await (const line of createInterface({ input: server.stdout })) if (line.includes('Ready to accept connections')) break
    if (server.exitCode !== null) throw new Error(`redis-server ended with code ${server.exitCode} before it was ready`)
  } catch (cause) {
    await stop()
    throw cause
  }
  server.stdout.resume()
  return {
    url: `redis://127.0.0.1:${port}`,
    version: /v=(\S+)/.exec(probe.stdout)?.[1] ?? '?',
    cpuSeconds: () => processCpuSeconds(pid),
    stop,
  }
}
