import { createHash } from 'node:crypto'

const LONGEST_IDENTIFIER = 63
const PREFIX = 'plugin_'

/** The Postgres schema of a plugin: `plugin_NAME`; of a name too long for Postgres its beginning and a hash. Pure. */
export function schemaName(plugin: string): string {
  const name = `${PREFIX}${plugin}`
  if (name.length <= LONGEST_IDENTIFIER) return name
  const hash = createHash('sha256').update(plugin).digest('hex').slice(0, 12)
  return `${name.slice(0, LONGEST_IDENTIFIER - hash.length - 1)}_${hash}`
}
