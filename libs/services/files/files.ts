import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileInfo, Files } from '@xcore/sdk'
import { XCoreError } from '../../errors/index.ts'
import type { ServiceFactory } from '../../plugin-host/port.ts'
import { partsOf } from './paths.ts'

const MAX_BYTES = 4 * 1024 * 1024
const MAX_ENTRIES = 10_000
const DATA = 'data'
/** A block of the disk: every write looks at all entries, so there must not be too many of them. */
const BYTES_OF_ENTRY = 4096

/** `getService('files')`: see `Files` of the SDK. One at a time for each plugin, so that the quota holds. */
export const filesService: ServiceFactory = ({ folder, maxDiskMb = 50, permissions }) => {
  const limit = maxDiskMb * 1024 * 1024
  const root = join(folder, DATA)
  let turn: Promise<unknown> = Promise.resolve()

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work, work)
    turn = mine.catch(() => {})
    return mine
  }
  const located = (path: unknown, verb: 'read' | 'write', what: string): readonly string[] => {
    const parts = partsOf(path, `files.${what}`)
    permissions.check(`fs:${[DATA, ...parts].join('/')}`, verb)
    return parts
  }
  const read = (path: string) =>
    inTurn(async () => {
      const parts = located(path, 'read', 'read')
      await using file = await openFile(root, parts, constants.O_RDONLY)
      const { size } = await file.stat()
      if (size > MAX_BYTES) throw tooLarge('read', size)
      return await file.readFile()
    })
  const put = (path: string, content: string | Uint8Array, how: 'write' | 'append') =>
    inTurn(async () => {
      const parts = located(path, 'write', how)
      const bytes = bytesOf(content, how)
      const before = await infoOf(root, parts)
      if (before?.kind === 'folder' || parts.length === 0) throw new XCoreError('bad_request', `files.${how}: ${path} is a folder`)
      const freed = how === 'write' ? (before?.size ?? 0) : 0
      const used = await usedBytes(root)
      if (used - freed + bytes.length > limit) {
        throw new XCoreError(
          'quota_exceeded',
          `files.${how}: expected at most ${limit} bytes in ${DATA}/ (resources.max_disk_mb), found ${used} and ${bytes.length} more; delete something`,
        )
      }
      await makeFolders(root, parts.slice(0, -1))
      if (how === 'append') {
        await using file = await openFile(root, parts, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT)
        await file.appendFile(bytes)
        return
      }
      const temporary = [...parts.slice(0, -1), `.${randomBytes(8).toString('hex')}.tmp`]
      {
        await using file = await openFile(root, temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL)
        await file.writeFile(bytes)
      }
      await rename(join(root, ...temporary), join(root, ...parts))
    })

  return Object.freeze<Files>({
    read,
    readText: async (path) => (await read(path)).toString('utf8'),
    write: (path, content) => put(path, content, 'write'),
    append: (path, content) => put(path, content, 'append'),
    delete: (path) =>
      inTurn(async () => {
        const parts = located(path, 'write', 'delete')
        const found = await infoOf(root, parts)
        if (found === undefined || parts.length === 0) return false
        await (found.kind === 'folder' ? rmdir(join(root, ...parts)) : unlink(join(root, ...parts))).catch((thrown: unknown) => {
          throw new XCoreError('bad_request', `files.delete: ${path} could not be deleted (a folder must be empty)`, { cause: thrown })
        })
        return true
      }),
    exists: (path) => inTurn(async () => (await infoOf(root, located(path, 'read', 'exists'))) !== undefined),
    stat: (path) =>
      inTurn(async () => {
        const found = await infoOf(root, located(path, 'read', 'stat'))
        if (found === undefined) throw notFound('stat', path)
        return found
      }),
    list: (path = '.') =>
      inTurn(async () => {
        const parts = located(path, 'read', 'list')
        const found = await infoOf(root, parts)
        if (found === undefined && parts.length === 0) return []
        if (found?.kind !== 'folder') throw notFound('list', path)
        const names = (await readdir(join(root, ...parts))).sort().slice(0, MAX_ENTRIES)
        const infos = await Promise.all(names.map((name) => infoOf(root, [...parts, name]).catch(() => undefined)))
        return infos.filter((info) => info !== undefined)
      }),
    usage: () => inTurn(async () => ({ bytes: await usedBytes(root), limit })),
  })
}

/** Follows no link, at no part of the path. undefined: there is nothing. Throws `permission_denied` for links and devices. */
async function infoOf(root: string, parts: readonly string[]): Promise<FileInfo | undefined> {
  let path = root
  for (const part of [null, ...parts]) {
    if (part !== null) path = join(path, part)
    const found = await lstat(path).catch(absent)
    if (found === undefined) return undefined
    if (!found.isDirectory() && !found.isFile()) throw odd(parts)
    // A second name of a file elsewhere on the disk would lead there.
    if (found.isFile() && found.nlink > 1) throw odd(parts)
    if (path === join(root, ...parts)) {
      return {
        path: parts.join('/'),
        kind: found.isDirectory() ? 'folder' : 'file',
        size: found.isFile() ? found.size : 0,
        modified: found.mtime,
      }
    }
    if (!found.isDirectory()) return undefined
  }
  return undefined
}

async function openFile(root: string, parts: readonly string[], flags: number) {
  const found = await infoOf(root, parts)
  if (found === undefined && (flags & constants.O_CREAT) === 0) throw notFound('read', parts.join('/'))
  if (found?.kind === 'folder') throw new XCoreError('bad_request', `files: ${parts.join('/')} is a folder`)
  return open(join(root, ...parts), flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600)
}

async function makeFolders(root: string, parts: readonly string[]): Promise<void> {
  for (let count = 0; count <= parts.length; count += 1) {
    const found = await infoOf(root, parts.slice(0, count))
    if (found?.kind === 'file')
      throw new XCoreError('bad_request', `files: ${parts.slice(0, count).join('/')} is a file, expected a folder`)
    if (found === undefined) await mkdir(join(root, ...parts.slice(0, count)), { mode: 0o700 })
  }
}

/** Of everything below; blocks and names count a little, so that empty files have their price too. */
async function usedBytes(root: string): Promise<number> {
  const found = await lstat(root).catch(absent)
  if (found?.isDirectory() !== true) return 0
  let bytes = 0
  const folders = [root]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      bytes += BYTES_OF_ENTRY
      if (entry.isDirectory()) folders.push(path)
      else bytes += (await lstat(path).catch(absent))?.size ?? 0
    }
  }
  return bytes
}

function bytesOf(content: unknown, what: string): Buffer {
  const bytes =
    typeof content === 'string'
      ? Buffer.from(content)
      : ArrayBuffer.isView(content)
        ? Buffer.from(content.buffer, content.byteOffset, content.byteLength)
        : undefined
  if (bytes === undefined) throw new XCoreError('bad_request', `files.${what}: expected a text or bytes as content`)
  if (bytes.length > MAX_BYTES) throw tooLarge(what, bytes.length)
  return bytes
}

function absent(thrown: unknown): undefined {
  if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR')) return undefined
  throw thrown
}

function odd(parts: readonly string[]): XCoreError {
  return new XCoreError(
    'permission_denied',
    `files: ${parts.join('/')} is or leads through a link or a device; expected plain files and folders in the plugin's data folder`,
  )
}
function notFound(what: string, path: string): XCoreError {
  return new XCoreError('not_found', `files.${what}: there is no ${path} in the plugin's data folder`)
}
function tooLarge(what: string, found: number): XCoreError {
  return new XCoreError('payload_too_large', `files.${what}: expected at most ${MAX_BYTES} bytes at once, found ${found}`)
}
