import type { Config } from '../../libs/config/index.ts'
import { XCoreError } from '../../libs/errors/index.ts'

/** Processes that are started one by one meet in a database of their own. Throws XCoreError `config_invalid` without one. */
export function requireDatabaseUrl(config: Config, command: 'api' | 'worker'): string {
  const { url } = config.database
  if (url !== null) return url
  throw new XCoreError(
    'config_invalid',
    `database.url: \`xcore ${command}\` needs a Postgres that api and workers share. Set DATABASE_URL=postgres://user:password@host:5432/database, ` +
      'or use `xcore start`, which runs both in one process and brings its own.',
  )
}
