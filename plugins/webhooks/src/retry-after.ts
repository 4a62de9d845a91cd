/** No endpoint may hold a delivery back for longer than this. */
export const MAX_RETRY_AFTER_SECONDS = 3600

/**
 * Reads a `Retry-After` header (RFC 9110): whole seconds or an HTTP date.
 * Returns seconds from `now`, 0 to MAX_RETRY_AFTER_SECONDS; undefined when there is none or it cannot be read.
 */
export function retryAfterSeconds(header: string | undefined, now: Date): number | undefined {
  const text = header?.trim()
  if (text === undefined || text === '') return undefined
  if (/^\d+$/.test(text)) return Math.min(Number(text), MAX_RETRY_AFTER_SECONDS)
  // Date.parse also takes '-5' and the like; an HTTP date always starts with the name of a day.
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined
  const at = Date.parse(text)
  if (Number.isNaN(at)) return undefined
  return Math.min(Math.max(Math.ceil((at - now.getTime()) / 1000), 0), MAX_RETRY_AFTER_SECONDS)
}
