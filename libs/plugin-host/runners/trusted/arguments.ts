import { stageOf } from '../../../engine/plugin-transaction.ts'
import type { Stage } from '../../../engine/plugin-transaction.ts'
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

/** Throws XCoreError `bad_request`. */
export function dateArgument(name: string, value: Date): Date {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value
  throw new XCoreError('bad_request', `${name}: expected a valid Date, found ${value instanceof Date ? 'an invalid one' : String(value)}`)
}

/** Where what is passed with `{tx}` waits for its commit. Throws XCoreError `bad_request`. */
export function stageArgument(tx: unknown): Stage {
  const stage = stageOf(tx)
  if (stage !== undefined) return stage
  throw new XCoreError(
    'bad_request',
    `tx: expected the tx of job.transaction or of the db service's transaction, found ${tx === null ? 'null' : typeof tx}`,
  )
}
