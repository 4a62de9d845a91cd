import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { testEngine } from '../../../engine/testing/running.ts'
import type { TestEngine, TestEngineOptions } from '../../../engine/testing/running.ts'
import type { PluginDirectory } from '../../../engine/index.ts'
import { pluginName } from '../../../event-log/index.ts'
import type { Permission } from '../../../manifest/index.ts'
import { createPermissions } from '../../../plugin-host/permissions/permissions.ts'
import type { ServiceOwner } from '../../../plugin-host/index.ts'
import { testLogger } from '../../../postgres/testing/index.ts'
import { createDbService } from '../service.ts'
import type { DbService, DbServiceOptions } from '../service.ts'

export interface TestDb extends AsyncDisposable, TestEngine {
  readonly db: DbService
}

/** An engine and the db service over a database of their own. */
export async function testDb(
  plugins: PluginDirectory,
  options: TestEngineOptions & Partial<Pick<DbServiceOptions, 'longestMs'>> = {},
): Promise<TestDb> {
  await using stack = new AsyncDisposableStack()
  const running = stack.use(await testEngine(plugins, options))
  const db = createDbService({
    url: running.url,
    database: running.database,
    stager: () => running.engine.transactions,
    logger: testLogger,
    ...options,
  })
  stack.defer(() => db.close())
  const owned = stack.move()
  return { ...running, db, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** A plugin as services see it. */
export function owner(name: string, permissions: readonly Permission[] | null = null, folder = '/nowhere'): ServiceOwner {
  const source = { file: 'plugin.yaml', lines: {} }
  return {
    name: pluginName(name),
    version: '1.0.0',
    folder,
    logger: testLogger,
    permissions: createPermissions({ name: pluginName(name), permissions, executionMode: 'trusted', source }, () => {}),
    signal: new AbortController().signal,
  }
}

export const READ_ONLY: readonly Permission[] = [{ resource: 'db.*', actions: ['read'], effect: 'allow' }]

/** A folder with these files, gone at the end. */
export async function folderWith(files: Readonly<Record<string, string>>): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'xcore-plugin-'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), text)
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
