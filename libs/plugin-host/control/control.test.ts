import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { EmitRequest } from '../../engine/port.ts'
import { randomIds } from '../../event-log/index.ts'
import { createDatabase } from '../../postgres/database.ts'
import { createNotifications } from '../../postgres/listen-notify.ts'
import { testDatabase, testLogger } from '../../postgres/testing/index.ts'
import { hostWith, pluginClass, type TestHost } from '../testing/plugin-folder.ts'
import { processSeen, readSwitches } from './commands-table.ts'
import { createPluginControl, type PluginControl } from './control.ts'
import { createNewsDesk } from './news.ts'

interface Process extends AsyncDisposable {
  readonly loaded: TestHost
  readonly control: PluginControl
}

/** One process's worth of host and control on a shared database. */
async function processOn(url: string, role: string, plugins: Readonly<Record<string, string>>): Promise<Process> {
  await using stack = new AsyncDisposableStack()
  const database = createDatabase({ url, applicationName: 'control-test', max: 3 })
  stack.defer(() => database.close())
  const notifications = createNotifications({ url, logger: testLogger })
  stack.defer(() => notifications.stop())
  await notifications.start()
  const loaded = stack.use(await hostWith(plugins, {}, undefined, await readSwitches(database)))
  const self = { id: randomIds.uuid(), role, name: `${role}/1` }
  const control = createPluginControl({ database, notifications, host: loaded.host, process: self, logger: testLogger, ids: randomIds })
  stack.defer(() => control.stop())
  await control.start()
  control.obey()
  const owned = stack.move()
  return { loaded, control, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

const plain = (answer: number) => pluginClass(`handle() { return ok({ answer: ${answer} }) }`)
const change = (process: Process, text: string) => writeFile(join(process.loaded.dir, 'shop/src/main.ts'), text)
const answerOf = async (process: Process) => (await process.loaded.run('shop', 'x')).kind

test('a command acts on every process, and the result of each is told', async () => {
  await using server = await testDatabase()
  await using api = await processOn(server.url, 'api', { shop: plain(1) })
  await using worker = await processOn(server.url, 'worker', { shop: plain(1) })
  await change(api, plain(2))
  await change(worker, 'export default 1')
  const results = await api.control.run('shop', 'reload')
  assert.deepEqual(
    results.map(({ process, role, state, error }) => [process, role, state, error?.code]),
    [
      ['api/1', 'api', 'ready', undefined],
      ['worker/1', 'worker', 'ready', 'plugin_load_failed'],
    ],
  )
  assert.equal(await answerOf(worker), 'ok')

  for (const [command, field] of [
    ['pause', { state: 'ready', paused: true }],
    ['resume', { state: 'ready', paused: false }],
    ['unload', { state: 'unloaded', paused: false }],
  ] as const) {
    const done = await worker.control.run('shop', command)
    assert.equal(done.length, 2)
    assert.ok(done.every(({ error }) => error === null))
    for (const { loaded } of [api, worker]) {
      const { state, paused } = loaded.host.status('shop') ?? {}
      assert.deepEqual({ state, paused }, field)
    }
  }
  await assert.rejects(api.control.run('other', 'reload'), { code: 'not_found' })
})

test('what was decided holds over restarts, and a process that is silent is told of', async () => {
  await using server = await testDatabase()
  {
    await using first = await processOn(server.url, 'standalone', { shop: plain(1), mail: plain(1) })
    await first.control.run('shop', 'unload')
    await first.control.run('mail', 'pause')
  }
  await using again = await processOn(server.url, 'standalone', { shop: plain(1), mail: plain(1) })
  assert.equal(again.loaded.host.status('shop')?.state, 'unloaded')
  assert.equal(again.loaded.host.status('mail')?.paused, true)
  const database = createDatabase({ url: server.url, applicationName: 'silent', max: 1 })
  await using _closing = { [Symbol.asyncDispose]: () => database.close() }
  await processSeen(database, { id: randomIds.uuid(), role: 'worker', name: 'silent/1' })
  const [own, silent] = await again.control.run('shop', 'load', 300)
  assert.deepEqual([own?.state, own?.error], ['ready', null])
  assert.deepEqual([silent?.process, silent?.state, silent?.error?.code], ['silent/1', null, 'timeout'])
})

test('commands given at once reach every process in one order', async () => {
  await using server = await testDatabase()
  await using one = await processOn(server.url, 'api', { shop: plain(1) })
  await using two = await processOn(server.url, 'worker', { shop: plain(1) })
  const commands = ['unload', 'load', 'pause', 'unload', 'resume', 'load', 'unload', 'pause'] as const
  await Promise.all(commands.map((command, index) => (index % 2 === 0 ? one : two).control.run('shop', command)))
  const [a, b] = [one, two].map(({ loaded }) => loaded.host.status('shop'))
  assert.deepEqual([a?.state, a?.paused], [b?.state, b?.paused])
  const database = createDatabase({ url: server.url, applicationName: 'look', max: 1 })
  await using _closing = { [Symbol.asyncDispose]: () => database.close() }
  const [kept] = await readSwitches(database)
  assert.deepEqual(kept, { plugin: 'shop', unloaded: a?.state === 'unloaded', paused: a?.paused })
})

test('news become events of the kernel, and versions are kept with what they declare', async () => {
  await using server = await testDatabase()
  const database = createDatabase({ url: server.url, applicationName: 'news', max: 1 })
  await using _closing = { [Symbol.asyncDispose]: () => database.close() }
  await using loaded = await hostWith({
    shop: pluginClass(`actions = { buy: action({ input: Type.Object({ n: Type.Number() }), handler: () => ok() }) }`),
  })
  const { host } = loaded
  const told: Omit<EmitRequest, 'source'>[] = []
  const desk = createNewsDesk({
    database,
    kernel: () => ({
      tell: async (event) => {
        told.push(event)
        return undefined
      },
    }),
    status: host.status.bind(host),
    process: 'a/1',
    logger: testLogger,
  })
  desk.tell({ kind: 'loaded', plugin: 'shop', version: '1.0.0', error: null })
  desk.tell({ kind: 'failed', plugin: 'gone', version: null, error: { code: 'env_missing', message: 'no KEY' } })
  await desk.drained()
  assert.deepEqual(
    told.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    [
      {
        name: 'plugin.failed',
        data: { plugin: 'gone', version: null, process: 'a/1', error: { code: 'env_missing', message: 'no KEY' } },
      },
      { name: 'plugin.loaded', data: { plugin: 'shop', version: '1.0.0', process: 'a/1' } },
    ],
  )
  const [row] = await database.run<{ plugin: string; version: string; actions: { name: string; input: { type: string } }[] }>(
    'select plugin, version, actions from xcore.plugin_versions',
  )
  assert.deepEqual([row?.plugin, row?.version, row?.actions[0]?.name, row?.actions[0]?.input.type], ['shop', '1.0.0', 'buy', 'object'])
})
