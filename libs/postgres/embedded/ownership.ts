import { constants, copyFile, link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { XCoreError } from '../../errors/index.ts'
import { fieldsOf } from './fields.ts'
import { startOf } from './processes.ts'

/** One XCore process's claim on a data folder. */
export interface Ownership {
  /** Whether an earlier owner ended without giving it back, and so may have left a server behind. */
  readonly abandoned: boolean
  release(): Promise<void>
}

/**
 * Claims `file` for this process. The file names the owner by pid and start time, so neither a crash nor a pid that now belongs
 * to an unrelated process locks the folder. Throws `database_unavailable` naming the pid while the owner lives.
 */
export async function acquireOwnership(file: string, folder: string): Promise<Ownership> {
  const claim = JSON.stringify({ pid: process.pid, start: await startOf(process.pid) })
  const draft = `${file}.${process.pid}`
  await writeFile(draft, claim, { mode: 0o644 })
  let abandoned = false
  try {
    // A hard link is made whole or not at all: nobody ever reads half a claim.
    while (!(await tryLink(draft, file))) {
      const found = await readFile(file, 'utf8').catch(() => undefined)
      if (found === undefined) continue
      const owner = await livingOwner(found)
      if (owner !== undefined) throw inUse(folder, owner)
      abandoned = true
      await takeAway(file, found, `${draft}.stale`)
    }
  } finally {
    await rm(draft, { force: true })
  }
  return {
    abandoned,
    release: async () => {
      if ((await readFile(file, 'utf8').catch(() => undefined)) === claim) await rm(file, { force: true })
    },
  }
}

async function tryLink(draft: string, file: string): Promise<boolean> {
  try {
    // Some file systems know no hard links.
    await link(draft, file).catch((error: unknown) => {
      if (codeOf(error) === 'EEXIST') throw error
      return copyFile(draft, file, constants.COPYFILE_EXCL)
    })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** Whether the folder was claimed by a process that is gone. */
export async function isAbandoned(file: string): Promise<boolean> {
  const found = await readFile(file, 'utf8').catch(() => undefined)
  return found !== undefined && (await livingOwner(found)) === undefined
}

async function livingOwner(claim: string): Promise<number | undefined> {
  let owner: ReturnType<typeof fieldsOf>
  try {
    owner = fieldsOf(JSON.parse(claim))
  } catch {
    return undefined
  }
  const { pid, start } = owner
  if (typeof pid !== 'number') return undefined
  return start !== undefined && (await startOf(pid)) === start ? pid : undefined
}

/** Removes a dead claim; if another process put its own there in the meantime, that one goes back. */
async function takeAway(file: string, expected: string, aside: string): Promise<void> {
  try {
    await rename(file, aside)
  } catch {
    return
  }
  if ((await readFile(aside, 'utf8')) !== expected) await tryLink(aside, file)
  await rm(aside, { force: true })
}

function inUse(folder: string, pid: number): XCoreError {
  const who = pid === process.pid ? 'this process already runs it' : `the XCore process ${pid} runs it`
  return new XCoreError(
    'database_unavailable',
    `Expected the embedded database in ${folder} to be free, but ${who}. Stop that process, use another data_dir, or set DATABASE_URL so that both share one server.`,
    { details: { pid } },
  )
}
