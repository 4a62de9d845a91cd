import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DATABASE, USER } from './cluster.ts'

/**
 * How to reach an embedded server that another process runs on `dataDir`, for commands beside a running XCore: port and state
 * are lines 4 and 8 of Postgres's own postmaster.pid. Undefined: none is ready there, or its files can't be read by this user.
 */
export async function urlOfRunning(dataDir: string): Promise<string | undefined> {
  const [pidFile, password] = await Promise.all([readText(join(dataDir, 'cluster', 'postmaster.pid')), readText(join(dataDir, 'password'))])
  if (pidFile === undefined || password === undefined) return undefined
  const lines = pidFile.split('\n')
  const port = Number(lines[3])
  if (!Number.isInteger(port) || port < 1 || lines[7]?.trim() !== 'ready') return undefined
  return `postgres://${USER}:${password.trim()}@127.0.0.1:${port}/${DATABASE}`
}

async function readText(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined)
}
