import { createHmac, timingSafeEqual } from 'node:crypto'

/** `X-Hub-Signature-256` as GitHub sends it for a body: `sha256=` and the HMAC in hex. */
export function sign(secret: string, body: Uint8Array): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
}

/** True when `header` is the signature of exactly these bytes. Compares in constant time. */
export function isSigned(secret: string, body: Uint8Array, header: string): boolean {
  const expected = Buffer.from(sign(secret, body))
  const given = Buffer.from(header)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
