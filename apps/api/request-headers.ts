import type { IncomingHttpHeaders } from 'node:http'
import { XCoreError } from '../../libs/errors/index.ts'

const MAX_WAIT_SECONDS = 60

/**
 * `Prefer: wait=SECONDS` of RFC 7240, at most 60; undefined when it is not asked for. A preference that is malformed or unknown
 * (`respond-async`, …) is ignored, as the RFC wants it; of a repeated one the first counts.
 */
export function preferredWait(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined
  for (const preference of String(header).split(',')) {
    const [name = '', value = ''] = (preference.split(';', 1)[0] ?? '').split('=')
    if (name.trim().toLowerCase() !== 'wait') continue
    const seconds = /^\s*("?)(\d{1,9})\1\s*$/.exec(value)?.[2]
    return seconds === undefined ? undefined : Math.min(Number(seconds), MAX_WAIT_SECONDS)
  }
  return undefined
}

/** `Idempotency-Key`: 1–255 visible ASCII characters. Throws `bad_request`. */
export function idempotencyKeyOf(headers: IncomingHttpHeaders): string | undefined {
  const key = headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key === 'string' && /^[\x21-\x7e]{1,255}$/.test(key)) return key
  throw new XCoreError('bad_request', 'Idempotency-Key: expected 1 to 255 visible ASCII characters without spaces.')
}

const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/

/** A valid W3C `traceparent`; undefined for none or a bad one, which the standard wants ignored. */
export function traceparentOf(value: string | string[] | undefined): string | undefined {
  if (typeof value !== 'string' || value.length > 256) return undefined
  const match = TRACEPARENT.exec(value)
  // Version 00 has exactly four fields; later ones may add more.
  return match === null || (match[1] === '00' && match[2] !== undefined) ? undefined : value
}
