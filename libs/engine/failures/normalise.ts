import { createHash } from 'node:crypto'

/** Longer messages differ in their details; what tells failures apart stands at the beginning. */
const READ = 2_000
const KEPT = 300

/** In this order: what may hold another kind comes first. */
const RULES: readonly (readonly [pattern: RegExp, placeholder: string])[] = [
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'`<>()]+/gi, '<url>'],
  [/"[^"\n]*"|`[^`\n]*`|(?<!\w)'[^'\n]*'(?!\w)|“[^”\n]*”|‘[^’\n]*’/g, '<text>'],
  [/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g, '<email>'],
  [/\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi, '<id>'],
  [/\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?/g, '<time>'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g, '<address>'],
  [/(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}(?![\w:])/gi, '<address>'],
  [/\b(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)+):\d+\b/gi, '<address>'],
  [/\b0x[0-9a-f]+\b/gi, '<id>'],
  // order_123 and user-7 keep what kind they are of
  [/(?<![\w<])([a-z]+[_-]?)\d+(?!\w)/gi, '$1<n>'],
  [/[+-]?\b\d+(?:[.,]\d+)*(?=[a-z%]{0,2}\b|[^\w]|$)/gi, '<n>'],
  // letters and digits mixed
  [/(?<![\w<])(?=[\w-]*\d)[\w-]+/g, '<id>'],
  [/\d+/g, '<n>'],
  [/\s+/g, ' '],
]

/** A message without what differs from one failure to the next: ids, numbers, times, addresses, quoted text. Pure, in linear time. */
export function normaliseMessage(message: string): string {
  let text = message.slice(0, READ)
  for (const [pattern, placeholder] of RULES) text = text.replace(pattern, placeholder)
  return text.trim().slice(0, KEPT)
}

export interface Failure {
  readonly plugin: string
  readonly name: string
  readonly code: string
  readonly message: string
}

/** The same for failures of one kind: 16 hexadecimal characters of plugin, name, code and normalised message. */
export function errorFingerprint({ plugin, name, code, message }: Failure): string {
  return createHash('sha256')
    .update(JSON.stringify([plugin, name, code, normaliseMessage(message)]))
    .digest('hex')
    .slice(0, 16)
}
