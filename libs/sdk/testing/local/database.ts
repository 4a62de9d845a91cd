import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Stager } from '../../../engine/plugin-transaction.ts'
import { XCoreError } from '../../../errors/index.ts'
import type { ServiceFactory } from '../../../plugin-host/index.ts'
import { createDatabase } from '../../../postgres/database.ts'
import { startEmbedded } from '../../../postgres/embedded.ts'
import { migrate } from '../../../postgres/migrator.ts'
import { createDbService, type DbService } from '../../../services/db/service.ts'
import type { Logger } from '../../../telemetry/index.ts'

/** The real `db` service on `database`: a URL, or `embedded`. Closed with `stack`. */
export async function openDb(stack: AsyncDisposableStack, database: string, stager: () => Stager, logger: Logger): Promise<DbService> {
  const url = database === 'embedded' ? await embedded(stack, logger) : checkedUrl(database)
  await migrate(url, { logger })
  const own = createDatabase({ url, applicationName: 'xcore test', max: 3, logger })
  stack.defer(() => own.close())
  const service = createDbService({ url, database: own, stager, logger })
  stack.defer(() => service.close())
  return service
}

/** What `getService('db')` is in a test that gave no database. */
export const noDb: ServiceFactory = ({ name }) => {
  throw new XCoreError(
    'service_unknown',
    `getService('db'): the test of plugin ${name} has no database; loadPlugin(dir, { database: 'embedded' }) starts one, ` +
      "{ database: 'postgres://…' } uses yours, { services: { db: … } } puts something in its place",
  )
}

async function embedded(stack: AsyncDisposableStack, logger: Logger): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'xcore-test-db-'))
  stack.defer(() => rm(dataDir, { recursive: true, force: true }))
  const server = await startEmbedded({ dataDir: join(dataDir, 'postgres'), durable: false, logger })
  stack.defer(() => server.stop())
  return server.url
}

function checkedUrl(text: string): string {
  if (/^postgres(ql)?:$/.test(URL.parse(text)?.protocol ?? '')) return text
  throw new XCoreError(
    'bad_request',
    `loadPlugin: database: expected 'embedded' or a URL like postgres://user:password@host/database, found ${text}`,
  )
}
