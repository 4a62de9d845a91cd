import { mkdtemp, readdir, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '../../telemetry/logger.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { isAbandoned } from '../embedded/ownership.ts'
import { startEmbedded } from '../embedded.ts'

/** Holds the URL of the server that `npm test` shares among all test files. */
export const TEST_SERVER_VARIABLE = 'XCORE_TEST_DATABASE_URL'

export interface TestServer {
  readonly url: string
  stop(): Promise<void>
}

/** Errors only. */
export const testLogger: Logger = createLogger({ level: 'error' })

const MEMORY_DISK = '/dev/shm'
const PREFIX = 'xcore-test-'

/** An embedded server on a temporary folder that is removed at the end. Nothing is forced to disk. */
export async function startTestServer(): Promise<TestServer> {
  const parent = await roomyMemoryDisk()
  await removeAbandoned(parent)
  const dataDir = await mkdtemp(join(parent, PREFIX))
  const remove = () => rm(dataDir, { recursive: true, force: true })
  try {
    const server = await startEmbedded({ dataDir, durable: false, logger: testLogger })
    return { url: server.url, stop: () => server.stop().finally(remove) }
  } catch (error) {
    await remove()
    throw error
  }
}

/** A database is copied in 14 ms in memory, in 100–400 ms on a disk. */
async function roomyMemoryDisk(): Promise<string> {
  const disk = await statfs(MEMORY_DISK).catch(() => undefined)
  return disk !== undefined && disk.bavail * disk.bsize > 2 * 2 ** 30 ? MEMORY_DISK : tmpdir()
}

/** What a run that was killed left behind. */
async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (name.startsWith(PREFIX) && (await isAbandoned(join(parent, name, 'owner'))))
      await rm(join(parent, name), { recursive: true, force: true })
  }
}
