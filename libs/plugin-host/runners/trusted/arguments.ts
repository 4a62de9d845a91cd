import { XCoreError } from '../../../errors/index.ts'
import type { Json } from '../../../event-log/index.ts'
import { toJson } from '../../to-json.ts'

const MAX_BYTES = 1024 * 1024

/** Throws XCoreError `bad_request`, or `payload_too_large`. */
export function jsonArgument(value: unknown, name: string): Json {
  const converted = toJson(value, { name, maxBytes: MAX_BYTES })
  if (converted.ok) return converted.json
  throw new XCoreError(converted.reason === 'too_large' ? 'payload_too_large' : 'bad_request', converted.problem)
}

/** Throws XCoreError `bad_request`. */
export function secondsArgument(name: string, value: number): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value
  throw new XCoreError('bad_request', `${name}: expected seconds of 0 or more, found ${String(value)}`)
}
