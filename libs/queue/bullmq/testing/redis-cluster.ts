import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { startRedisServer } from './redis-server.ts'

export interface RedisTestCluster extends AsyncDisposable {
  /** Of one of its nodes. */
  readonly url: string
  readonly nodes: readonly string[]
}

const run = promisify(execFile)
const MASTERS = 3

/** Three masters without replicas. */
export async function startRedisCluster(): Promise<RedisTestCluster> {
  await using stack = new AsyncDisposableStack()
  const servers = await Promise.all(
    Array.from({ length: MASTERS }, () =>
      startRedisServer(['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--cluster-config-file', 'nodes.conf']),
    ),
  )
  for (const server of servers) stack.use(server)
  const nodes = servers.map((server) => `127.0.0.1:${server.port}`)
  await run('redis-cli', ['--cluster', 'create', ...nodes, '--cluster-yes'])
  await Promise.all(servers.map((server) => healthy(server.url)))
  const owned = stack.move()
  return { url: servers[0]?.url ?? '', nodes: nodes.slice(1), [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** Nodes learn of each other by gossip: asked until this one knows all slots. */
async function healthy(url: string): Promise<void> {
  const client = new Redis(url)
  try {
    while (!(await client.cluster('INFO')).includes('cluster_state:ok')) await new Promise((resolve) => setImmediate(resolve))
  } finally {
    client.disconnect()
  }
}
