import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import pino from 'pino'
import { startEmbedded } from '../../libs/postgres/embedded.ts'
import { treeCpuSeconds } from './cpu.ts'

export interface PostgresServer {
  readonly version: string
  /** A new, empty database. Resolves to its URL. */
  create(name: string): Promise<string>
  drop(name: string): Promise<void>
  /** Writes dirty pages out, so that a run does not pay for the one before it. */
  checkpoint(): Promise<void>
  /** All processes of the server. */
  cpuSeconds(): number
  stop(): Promise<void>
}

/** Starts the embedded PostgreSQL that `xcore start` runs, durable, in a temporary folder. All contenders work on it. */
export async function startPostgres(): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'xcore-bench-postgres-'))
  await chmod(folder, 0o755)
  const server = await startEmbedded({ dataDir: join(folder, 'postgres'), logger: pino({ level: 'warn' }, process.stderr) })
  const stop = async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
  const admin = new pg.Client({ connectionString: server.url })
  try {
    await admin.connect()
    const version = (await admin.query<{ server_version: string }>('show server_version')).rows[0]?.server_version ?? '?'
    return {
      version,
      async create(name) {
        await admin.query(`create database ${name}`)
        const url = new URL(server.url)
        url.pathname = `/${name}`
        return url.href
      },
      async drop(name) {
        await admin.query(`drop database if exists ${name} with (force)`)
      },
      async checkpoint() {
        await admin.query('checkpoint')
      },
      cpuSeconds: () => treeCpuSeconds(server.pid()),
      async stop() {
        await admin.end()
        await stop()
      },
    }
  } catch (cause) {
    await stop()
    throw cause
  }
}
