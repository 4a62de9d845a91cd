import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { XCoreError } from '../../errors/index.ts'
import type { PostgresBinaries } from './binaries.ts'
import type { RunAs } from './run-as.ts'
import { isServerOf, stopServer } from './processes.ts'

const MAJOR_VERSION = '18'
export const USER = 'xcore'
export const DATABASE = 'xcore'
/** The environment of Postgres programs: nothing of ours, messages in English (they are read below). */
export const POSTGRES_ENV = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

/** The files of an embedded server: `cluster` (Postgres's own), `password`, `owner`. */
export interface DataFolder {
  readonly root: string
  readonly cluster: string
  readonly password: string
  readonly owner: string
}

/** Makes sure that `cluster` holds a database cluster of the right version, and returns its password. */
export async function prepareCluster(folder: DataFolder, binaries: PostgresBinaries, runAs: RunAs, durable: boolean): Promise<string> {
  for (const name of await readdir(folder.root)) {
    if (name.startsWith('cluster.new-')) await rm(join(folder.root, name), { recursive: true, force: true })
  }
  const found = await readFile(join(folder.cluster, 'PG_VERSION'), 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return await createCluster(folder, binaries, runAs, durable)
  if (found.trim() !== MAJOR_VERSION) {
    throw new XCoreError(
      'database_unavailable',
      `Expected a PostgreSQL ${MAJOR_VERSION} data folder in ${folder.cluster}, found version ${found.trim()}. Carry the data over with pg_dump and pg_restore, or choose another data_dir.`,
    )
  }
  if (runAs.user !== undefined && (await stat(folder.cluster)).uid === 0) {
    await promisify(execFile)('chown', ['-R', `${runAs.user.uid}:${runAs.user.gid}`, folder.cluster])
  }
  const password = await readFile(folder.password, 'utf8').catch(() => '')
  if (password.trim() === '') {
    throw new XCoreError(
      'database_unavailable',
      `Expected the password of the embedded database in ${folder.password}, found nothing. Bring the file back from a backup, or choose another data_dir.`,
    )
  }
  return password.trim()
}

/** A half-made cluster is never seen under its final name: it is made aside and renamed. */
async function createCluster(folder: DataFolder, binaries: PostgresBinaries, runAs: RunAs, durable: boolean): Promise<string> {
  const password = randomBytes(24).toString('hex')
  await writeFile(folder.password, `${password}\n`, { mode: 0o600 })
  await chmod(folder.password, 0o600)
  await runAs.give(folder.password)
  const draft = join(folder.root, `cluster.new-${process.pid}`)
  await mkdir(draft, { mode: 0o700 })
  await runAs.give(draft)
  const locale = ['--no-locale', '--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  await execute(runAs, binaries.initdb, [
    '-D',
    draft,
    '-U',
    USER,
    '--auth=scram-sha-256',
    `--pwfile=${folder.password}`,
    ...locale,
    ...(durable ? [] : ['--no-sync']),
  ])
  await execute(
    runAs,
    binaries.postgres,
    ['--single', '-D', draft, ...(durable ? [] : ['-F']), 'postgres'],
    `create database ${DATABASE}\n`,
  )
  await rename(draft, folder.cluster)
  return password
}

async function execute(runAs: RunAs, program: string, args: readonly string[], input = ''): Promise<void> {
  const { program: file, args: argv, ...user } = runAs.command(program, args)
  const child = spawn(file, argv, { ...user, env: POSTGRES_ENV, stdio: ['pipe', 'ignore', 'pipe'] })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [stderr] = await Promise.all([text(child.stderr), once(child, 'close')])
  const { exitCode: code } = child
  if (code !== 0) {
    throw new XCoreError(
      'database_unavailable',
      `Expected ${program} to succeed, but it ended with ${String(code)}: ${stderr.trim()} Check the data folder, or set DATABASE_URL.`,
    )
  }
}

/**
 * Deals with what a killed owner left: a server that still runs is stopped, a postmaster.pid whose pid belongs to an unrelated
 * process is removed (Postgres itself only sees that the pid lives and would refuse to start).
 * A server that none of ours left behind is someone else's: `database_unavailable`.
 */
export async function clearRemains(folder: DataFolder, abandoned: boolean): Promise<void> {
  const file = join(folder.cluster, 'postmaster.pid')
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0])
  if (!Number.isInteger(pid) || pid <= 0) return
  if (!(await isServerOf(pid, folder.cluster))) return await rm(file, { force: true })
  if (!abandoned) {
    throw new XCoreError(
      'database_unavailable',
      `Expected the embedded database in ${folder.cluster} to be free, but the PostgreSQL server ${pid}, not started by XCore, runs on it. Stop it, or use it through DATABASE_URL.`,
      { details: { pid } },
    )
  }
  await stopServer(pid)
}
