import { posix } from 'node:path'
import { XCoreError } from '../../errors/index.ts'

const MAX_PATH = 512
const MAX_PARTS = 32
const MAX_PART_BYTES = 200

/**
 * The parts of a path inside the data folder. Pure. Throws XCoreError `permission_denied` for one that leads outside, `bad_request`
 * for what is no path.
 */
export function partsOf(path: unknown, what: string): readonly string[] {
  if (typeof path !== 'string' || path === '' || path.length > MAX_PATH || /[\u0000-\u001f\\]/.test(path) || !path.isWellFormed()) {
    throw new XCoreError('bad_request', `${what}: expected a path of 1 to ${MAX_PATH} characters with / between its parts`)
  }
  const plain = posix.normalize(path)
  if (posix.isAbsolute(path) || plain === '..' || plain.startsWith('../')) {
    throw new XCoreError(
      'permission_denied',
      `${what}: expected a path inside the plugin's data folder, found ${JSON.stringify(path.slice(0, 120))}`,
    )
  }
  const parts = plain.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.length > MAX_PARTS || parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES)) {
    throw new XCoreError('bad_request', `${what}: expected at most ${MAX_PARTS} parts of at most ${MAX_PART_BYTES} bytes each`)
  }
  return parts
}
