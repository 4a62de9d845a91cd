import { createHash } from 'node:crypto'
import type { Json } from '../event-log/index.ts'

/** A hash of a JSON value that does not depend on the order of keys. */
export function fingerprint(value: Json): string {
  return createHash('sha256').update(canonical(value)).digest('base64url')
}

function canonical(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(',')}}`
}
