import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testDatabase } from '../libs/postgres/testing/index.ts'
import { runCli, startCli, testFolder } from './cli-process.ts'
import type { RunningCli } from './cli-process.ts'

const ANY_PORT = { XCORE_HTTP_PORT: '0', XCORE_WORKER_METRICS_PORT: '0' }
const shop = (version: number) => `
import { Router, TrustedBase, error, ok } from '@xcore/sdk'

export default class Shop extends TrustedBase {
  override async handle(name: string) { return name === 'ping' ? ok({ version: ${version}, pid: process.pid }) : error('Unknown action: ' + name, { code: 'unknown_action' }) }
  override getRouter() {
    const router = new Router()
    router.get('/v', (ctx) => { ctx.body = { version: ${version} } })
    return router
  }
}
`
const EAR = `
import { TrustedBase, ok } from '@xcore/sdk'
import type { EventMessage } from '@xcore/sdk'

export default class Ear extends TrustedBase {
  heard: string[] = []
  override async onLoad() { this.ctx.events.on('plugin.*', (event: EventMessage<{ plugin: string }>) => { this.heard.push(event.name + ' ' + event.data.plugin + ' ' + event.source) }) }
  override async handle() { return ok({ heard: this.heard }) }
}
`
const FILES = {
  'plugins/shop/plugin.yaml': 'name: shop\nversion: 1.0.0\n',
  'plugins/shop/src/main.ts': shop(1),
}

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

async function send(service: RunningCli, method: string, path: string, wait?: number): Promise<Answer> {
  const response = await fetch(service.url + path, {
    method,
    ...(method === 'POST' ? { body: '{}' } : {}),
    headers: { 'content-type': 'application/json', ...(wait === undefined ? {} : { prefer: `wait=${wait}` }) },
  })
  return { status: response.status, body: Object(await response.json()) }
}
const resultOf = ({ body }: Answer): Record<string, unknown> => Object(body['result'])
const processesOf = ({ body }: Answer): { role: string; ok: boolean; state: string }[] =>
  Array.isArray(body['processes']) ? body['processes'] : Object(body['details'])['processes']

test('plugins are reloaded, paused and unloaded in api and worker alike, over HTTP and the command line', async () => {
  await using database = await testDatabase()
  await using folder = await testFolder()
  await folder.write(FILES)
  const env = { ...ANY_PORT, DATABASE_URL: database.url }
  await using api = await startCli(['api'], { cwd: folder.path, env })
  await using worker = await startCli(['worker'], { cwd: folder.path, env })
  const cli = (...args: string[]) => runCli([...args, '--url', api.url], { cwd: folder.path })
  assert.equal(resultOf(await send(api, 'POST', '/ipc/shop/ping', 20))['version'], 1)

  await folder.write({ 'plugins/shop/src/main.ts': shop(2) })
  const reloaded = await send(api, 'POST', '/admin/plugins/shop/reload')
  assert.equal(reloaded.status, 200)
  assert.deepEqual([reloaded.body['name'], reloaded.body['state'], reloaded.body['command']], ['shop', 'ready', 'reload'])
  assert.deepEqual(
    processesOf(reloaded).map(({ role, ok, state }) => [role, ok, state]),
    [
      ['api', true, 'ready'],
      ['worker', true, 'ready'],
    ],
  )
  const pinged = resultOf(await send(api, 'POST', '/ipc/shop/ping', 20))
  assert.deepEqual([pinged['version'], pinged['pid']], [2, worker.child.pid])
  assert.equal((await send(api, 'GET', '/plugins/shop/v')).body['version'], 2)

  await folder.write({ 'plugins/shop/src/main.ts': 'export default 1' })
  const broken = await send(api, 'POST', '/admin/plugins/shop/reload')
  assert.deepEqual(
    [broken.status, broken.body['code'], processesOf(broken).map(({ ok }) => ok)],
    [409, 'plugin_load_failed', [false, false]],
  )
  assert.equal(resultOf(await send(api, 'POST', '/ipc/shop/ping', 20))['version'], 2)
  const told = await cli('plugin', 'reload', 'shop')
  assert.equal(told.code, 1)
  assert.match(told.stderr, /plugin_load_failed/)
  assert.match(Object(Object((await send(api, 'GET', '/admin/plugins/shop')).body)['last_error'])['message'], /expected/)
  await folder.write({ 'plugins/shop/src/main.ts': shop(3) })
  assert.equal((await cli('plugin', 'reload', 'shop')).code, 0)

  assert.equal((await cli('plugin', 'pause', 'shop')).code, 0)
  const waiting = await send(api, 'POST', '/ipc/shop/ping', 1)
  assert.equal(waiting.status, 202)
  assert.equal((await send(api, 'POST', '/admin/plugins/shop/resume')).status, 200)
  assert.equal((await send(api, 'POST', '/ipc/shop/ping', 20)).status, 200)

  assert.equal((await send(api, 'POST', '/admin/plugins/shop/unload')).status, 200)
  assert.equal((await send(api, 'POST', '/ipc/shop/ping', 1)).body['code'], 'not_ready')
  assert.equal((await send(api, 'GET', '/plugins/shop/v')).status, 503)
  assert.equal((await cli('plugin', 'load', 'shop', '--json')).code, 0)
  assert.equal(resultOf(await send(api, 'POST', '/ipc/shop/ping', 20))['version'], 3)
  assert.deepEqual((await send(api, 'POST', '/admin/plugins/none/reload')).body['code'], 'not_found')
  assert.deepEqual((await send(api, 'POST', '/admin/plugins/shop/explode')).status, 404)
})

test('with --watch a saved file is served, a broken one is not, and a new folder is loaded', async () => {
  await using database = await testDatabase()
  await using folder = await testFolder()
  await folder.write({ ...FILES, 'plugins/ear/plugin.yaml': 'name: ear\nversion: 1.0.0\n', 'plugins/ear/src/main.ts': EAR })
  await using service = await startCli(['start', '--watch'], { cwd: folder.path, env: { ...ANY_PORT, DATABASE_URL: database.url } })
  const said = (text: string) => service.line((line) => line.includes(text))
  await folder.write({ 'plugins/shop/src/main.ts': shop(2) })
  await said('shop was saved')
  assert.equal(resultOf(await send(service, 'POST', '/ipc/shop/ping', 20))['version'], 2)
  await folder.write({ 'plugins/shop/src/main.ts': 'export default class {' })
  await said("can't be loaded")
  assert.equal((await send(service, 'GET', '/plugins/shop/v')).body['version'], 2)
  await folder.write({ 'plugins/more/src/main.ts': shop(7), 'plugins/more/plugin.yaml': 'name: more\nversion: 1.0.0\n' })
  await said('plugin more is new')
  assert.equal(resultOf(await send(service, 'POST', '/ipc/more/ping', 20))['version'], 7)
  // What it heard of the start depends on who loaded first.
  const heard = async (): Promise<string[]> => {
    const all: string[] = Object(resultOf(await send(service, 'POST', '/ipc/ear/x', 20)))['heard']
    return all.filter((each) => !each.startsWith('plugin.loaded shop') && !each.includes(' ear ')).toSorted()
  }
  while ((await heard()).length < 3) await new Promise(setImmediate)
  assert.deepEqual(await heard(), [
    'plugin.failed shop xcore://kernel',
    'plugin.loaded more xcore://kernel',
    'plugin.reloaded shop xcore://kernel',
  ])
})
