import { chmod, mkdir, realpath } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { XCoreError, messageOf } from '../errors/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import { findBinaries } from './embedded/binaries.ts'
import { DATABASE, USER, clearRemains, prepareCluster } from './embedded/cluster.ts'
import type { DataFolder } from './embedded/cluster.ts'
import { acquireOwnership } from './embedded/ownership.ts'
import { chooseRunAs } from './embedded/run-as.ts'
import { startServer } from './embedded/server.ts'
import type { ServerProcess } from './embedded/server.ts'
import { superviseServer } from './embedded/supervisor.ts'

export interface EmbeddedOptions {
  /** Made when missing. Belongs to one XCore process at a time. */
  readonly dataDir: string
  /** 0 (default): a free one, another at each start. */
  readonly port?: number
  /** Default true. False: a crash of the machine may lose the data; for tests. */
  readonly durable?: boolean
  readonly logger: Logger
}

export interface EmbeddedServer {
  /** `postgres://…` with the password. */
  readonly url: string
  readonly port: number
  /** The server's process; another one after a crash. */
  pid(): number
  /** Fast shutdown; gives the folder back. Safe to call twice. */
  stop(): Promise<void>
}

/**
 * Runs PostgreSQL 18 on `dataDir`, reachable on 127.0.0.1 only, with a random password that is kept in the folder.
 *
 * Works as root (see run-as.ts). The server ends with this process even when that is killed, as far as the system allows; one
 * that was left behind is stopped at the next start. A server that crashes is started again on the same port.
 * Throws `database_unavailable`: the folder is in use (with the owner's pid), not usable, or the server does not start.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const durable = options.durable ?? true
  const folder = await openFolder(options.dataDir)
  const owner = await acquireOwnership(folder.owner, folder.root).catch((error: unknown) => {
    throw asUnusable(error, folder.root)
  })
  try {
    const binaries = await findBinaries()
    const runAs = await chooseRunAs(folder.cluster, [
      binaries.postgres,
      binaries.initdb,
      join(binaries.home, 'share'),
      join(binaries.home, 'lib'),
    ])
    const password = await prepareCluster(folder, binaries, runAs, durable)
    await clearRemains(folder, owner.abandoned)

    const start = (port: number) => startServer(binaries.postgres, folder.cluster, { port, durable }, runAs, options.logger)
    const { server, port } = await startOnFreePort(start, options.port ?? 0, folder.cluster)
    const supervisor = superviseServer(
      server,
      () => startOnFreePort(start, port, folder.cluster).then((next) => next.server),
      options.logger,
    )
    let stopping: Promise<void> | undefined
    return {
      url: `postgres://${USER}:${password}@127.0.0.1:${port}/${DATABASE}`,
      port,
      pid: () => supervisor.current().pid,
      stop: () => (stopping ??= supervisor.stop().finally(() => owner.release())),
    }
  } catch (error) {
    await owner.release()
    throw asUnusable(error, folder.root)
  }
}

async function openFolder(dataDir: string): Promise<DataFolder> {
  const wanted = resolve(dataDir)
  try {
    await mkdir(wanted, { recursive: true })
    const root = await realpath(wanted)
    // Root's Postgres runs as another user who must get in; what is inside has its own permissions.
    if (process.getuid?.() === 0) await chmod(root, 0o755)
    return { root, cluster: join(root, 'cluster'), password: join(root, 'password'), owner: join(root, 'owner') }
  } catch (error) {
    throw asUnusable(error, wanted)
  }
}

function asUnusable(error: unknown, folder: string): unknown {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string') || error instanceof XCoreError) return error
  return new XCoreError(
    'database_unavailable',
    `Expected to keep the embedded database in ${folder}, but: ${messageOf(error)}. Run as the user who owns the folder, choose another data_dir, or set DATABASE_URL.`,
    { cause: error },
  )
}

const STILL_STOPPING_MS = 10_000

async function startOnFreePort(
  start: (port: number) => ReturnType<typeof startServer>,
  wanted: number,
  cluster: string,
): Promise<{ server: ServerProcess; port: number }> {
  const giveUpAt = Date.now() + STILL_STOPPING_MS
  for (;;) {
    const port = wanted === 0 ? await freePort() : wanted
    const outcome = await start(port)
    if (outcome.started) return { server: outcome.server, port }
    const again = outcome.reason === 'still_stopping' || (outcome.reason === 'port_taken' && wanted === 0)
    if (!again || Date.now() > giveUpAt) {
      const remedy =
        outcome.reason === 'port_taken'
          ? `Port ${port} is taken: free it or use port 0.`
          : 'Read the lines above, choose another data_dir, or set DATABASE_URL.'
      throw new XCoreError(
        'database_unavailable',
        `Expected PostgreSQL to start on ${cluster}, but it ended:\n${outcome.output}\n${remedy}`,
      )
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  const { promise: listening, resolve: done, reject } = Promise.withResolvers<void>()
  probe.once('error', reject)
  probe.listen(0, '127.0.0.1', done)
  await listening
  const address = probe.address()
  await new Promise((closed) => probe.close(closed))
  if (address === null || typeof address === 'string') throw new XCoreError('internal_error', 'Expected a TCP port, found none.')
  return address.port
}
