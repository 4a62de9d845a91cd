/**
 * Reads `name:scope+scope:key,…`. The key is what follows the second colon, so it may hold colons but no commas.
 * Text of another shape is returned as it is, for the schema to refuse.
 */
export function parseApiKeys(text: string): unknown {
  const entries = text.split(',').map((entry) => /^([^:]*):([^:]*):(.*)$/.exec(entry.trim()))
  const keys = entries.flatMap((match) =>
    match === null ? [] : [{ name: match[1], scopes: (match[2] ?? '').split('+').filter(Boolean), key: match[3] }],
  )
  return keys.length === entries.length ? keys : text
}
