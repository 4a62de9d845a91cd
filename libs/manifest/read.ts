import { open, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { messageOf, XCoreError } from '../errors/index.ts'
import { positionOf, type Manifest } from './manifest.ts'
import { deepFreeze, invalidManifest, parseWritten } from './parse.ts'
import { MAX_MANIFEST_BYTES } from './source.ts'

export const MANIFEST_FILES = ['plugin.yaml', 'plugin.json'] as const
/** Tried in this order when a manifest names no entry file. */
const DEFAULT_ENTRIES = ['src/main.ts', 'src/main.js', 'src/main.mjs'] as const

/**
 * Reads and checks the manifest of one plugin's folder; its entry file must exist inside the folder.
 * Throws XCoreError `manifest_invalid`, also when there is no manifest, or both files, or one can't be read.
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const file = await manifestFile(folder)
  if (file === undefined) {
    throw invalidManifest([{ path: folder, message: `expected ${MANIFEST_FILES.join(' or ')} in this folder, found neither` }])
  }
  const { manifest, entryPointGiven } = parseWritten(await readSmallText(folder, file), file)
  const candidates = entryPointGiven ? [manifest.entryPoint] : DEFAULT_ENTRIES
  for (const entryPoint of candidates) {
    if (await isFileInside(folder, entryPoint))
      return entryPoint === manifest.entryPoint ? manifest : deepFreeze({ ...manifest, entryPoint })
  }
  throw invalidManifest([{ path: positionOf(manifest, '/entry_point'), message: await missingEntry(folder, candidates, entryPointGiven) }])
}

/** The manifest's file name in a folder; undefined when it has none. Throws `manifest_invalid` for both, or for `plugin.yml`. */
export async function manifestFile(folder: string): Promise<string | undefined> {
  const found: string[] = []
  for (const name of [...MANIFEST_FILES, 'plugin.yml']) {
    try {
      await stat(join(folder, name))
      found.push(name)
    } catch (thrown) {
      if (!isMissing(thrown)) throw invalidManifest([{ path: name, message: `cannot be read: ${messageOf(thrown)}` }], { cause: thrown })
    }
  }
  if (found.length > 1) {
    throw invalidManifest([{ path: found[0] ?? '', message: `expected one manifest, found ${found.join(' and ')}; remove one of them` }])
  }
  if (found[0] === 'plugin.yml') throw invalidManifest([{ path: 'plugin.yml', message: 'expected the name plugin.yaml; rename the file' }])
  return found[0]
}

/** Reads a UTF-8 text of at most 256 KiB that lies inside the folder, links resolved. Throws `manifest_invalid`. */
export async function readSmallText(folder: string, file: string): Promise<string> {
  const refuse = (message: string, cause?: unknown): XCoreError => invalidManifest([{ path: file, message }], { cause })
  if (!(await isFileInside(folder, file))) throw refuse("expected a plain file inside the plugin's folder")
  try {
    await using handle = await open(join(folder, file))
    const { size } = await handle.stat()
    if (size > MAX_MANIFEST_BYTES) throw refuse(`expected at most ${MAX_MANIFEST_BYTES} bytes, found ${size}; keep data out of it`)
    return new TextDecoder('utf-8', { fatal: true }).decode(await handle.readFile())
  } catch (thrown) {
    if (thrown instanceof XCoreError) throw thrown
    throw refuse(thrown instanceof TypeError ? 'expected UTF-8 text, found other bytes' : `cannot be read: ${messageOf(thrown)}`, thrown)
  }
}

async function isFileInside(folder: string, path: string): Promise<boolean> {
  try {
    const [root, target] = await Promise.all([realpath(folder), realpath(join(folder, path))])
    return target.startsWith(root.endsWith(sep) ? root : root + sep) && (await stat(target)).isFile()
  } catch (thrown) {
    if (isMissing(thrown)) return false
    throw invalidManifest([{ path, message: `cannot be read: ${messageOf(thrown)}` }], { cause: thrown })
  }
}

async function missingEntry(folder: string, candidates: readonly string[], given: boolean): Promise<string> {
  if (!given && (await isFileInside(folder, 'src/main.py'))) {
    return 'entry_point: expected src/main.ts, found src/main.py; Python plugins do not run here: port it to TypeScript'
  }
  return `entry_point: expected the file ${candidates.join(' or ')} inside the plugin's folder, found none; create it or name another one`
}

export function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR')
}
