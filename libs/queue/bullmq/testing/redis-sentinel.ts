import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { freePort, startRedisServer } from './redis-server.ts'
import type { RedisTestServer } from './redis-server.ts'

export interface SentinelGround extends AsyncDisposable {
  /** Of the sentinel. */
  readonly url: string
  readonly name: string
  readonly master: RedisTestServer
  readonly replica: RedisTestServer
  /** Resolves with the port of the master that the sentinel names, once it is another one than `port`. */
  failedOver(port: number): Promise<number>
}

const NAME = 'jobs'

/** A master, a replica in step with it, and one sentinel that decides alone. `args` are both servers’. */
export async function startSentinel(args: readonly string[] = []): Promise<SentinelGround> {
  await using stack = new AsyncDisposableStack()
  const master = stack.use(await startRedisServer(args))
  const replica = stack.use(await startRedisServer([...args, '--replicaof', '127.0.0.1', String(master.port)]))
  await inStep(master.url)
  const folder = await mkdtemp(join(tmpdir(), 'xcore-sentinel-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  const config = join(folder, 'sentinel.conf')
  await writeFile(
    config,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${master.port} 1`,
      `sentinel down-after-milliseconds ${NAME} 500`,
      `sentinel failover-timeout ${NAME} 3000`,
      '',
    ].join('\n'),
  )
  const sentinel = spawn('redis-server', [config, '--sentinel'], { stdio: ['ignore', 'pipe', 'inherit'] })
  stack.defer(async () => {
    if (sentinel.exitCode !== null || sentinel.signalCode !== null) return
    const ended = once(sentinel, 'exit')
    sentinel.kill('SIGKILL')
    await ended
  })
  // It must know the replica before the master may fail.
  await lineWith(sentinel.stdout, '+slave slave')
  const url = `redis://127.0.0.1:${port}`
  const owned = stack.move()
  return {
    url,
    name: NAME,
    master,
    replica,
    async failedOver(old) {
      const client = new Redis(url)
      try {
        for (;;) {
          const [, found] = Object(await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME))
          if (Number(found) !== old) return Number(found)
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      } finally {
        client.disconnect()
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Resolves when the replica has all that the master has. */
async function inStep(url: string): Promise<void> {
  const client = new Redis(url)
  try {
    while (!(await client.info('replication')).includes('state=online')) await new Promise((resolve) => setTimeout(resolve, 50))
  } finally {
    client.disconnect()
  }
}

async function lineWith(output: NodeJS.ReadableStream, words: string): Promise<void> {
  const lines: string[] = []
  for await (const line of createInterface({ input: output })) {
    lines.push(line)
    if (line.includes(words)) {
      output.resume()
      return
    }
  }
  throw new Error(`the sentinel ended before it knew its replica:\n${lines.join('\n')}`)
}
