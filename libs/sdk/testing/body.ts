import type { RequestOptions } from './port.ts'

/** Headers in lower case, and the bytes of the body. */
export function bodyOf({ body, headers = {} }: RequestOptions): {
  readonly headers: Record<string, string>
  readonly body: string | Uint8Array<ArrayBuffer> | undefined
} {
  const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  if (body === undefined) return { headers: given, body }
  if (typeof body === 'string') return { headers: given, body }
  if (body instanceof Uint8Array) return { headers: given, body: Uint8Array.from(body) }
  return { headers: { 'content-type': 'application/json', ...given }, body: JSON.stringify(body) }
}
