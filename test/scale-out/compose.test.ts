import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { CONFIG_KEYS, KEYS } from '../../libs/config/index.ts'
import { NEEDS_REDIS, startRedisServer } from '../../libs/queue/bullmq/testing/redis-server.ts'
import { testDatabase } from '../../libs/postgres/testing/index.ts'
import { startCli } from '../cli-process.ts'
import { until } from './setup.ts'

const ROOT = join(import.meta.dirname, '../..')

interface Service {
  readonly image: string
  readonly profiles: readonly string[]
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

async function services(): Promise<Map<string, Service>> {
  const text = await readFile(join(ROOT, 'compose.yaml'), 'utf8')
  const plain = text.replaceAll(/\$\{\w+:-([^}]*)\}/g, (_all, fallback: string) => fallback)
  const document: unknown = parse(plain, { merge: true })
  return new Map(Object.entries(Object(Object(document).services)))
}

const isXcore = ({ image }: Service) => image.startsWith('node:')
/** What follows `node apps/cli/bin/xcore.js`. */
const argsOf = ({ command }: Service): readonly string[] => {
  assert.deepEqual(command.slice(0, 2), ['node', 'apps/cli/bin/xcore.js'])
  return command.slice(2)
}

describe('compose.yaml', () => {
  test('names images with a version, one profile, and settings that exist', async () => {
    const all = await services()
    assert.deepEqual([...all.keys()], ['postgres', 'redis', 'api', 'worker-deliveries', 'worker-rest'])
    const variables: (string | null)[] = CONFIG_KEYS.map((key) => KEYS[key].env)
    const { devDependencies }: { devDependencies: Record<string, string> } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    for (const [name, service] of all) {
      assert.match(service.image, /^[a-z]+:\d+/, name)
      assert.deepEqual(service.profiles, ['scale-out'], name)
      if (!isXcore(service)) continue
      assert.equal(/\d+/.exec(service.image)?.[0], /\d+/.exec(devDependencies['node'] ?? '')?.[0])
      for (const variable of Object.keys(service.environment)) assert.ok(variables.includes(variable), `${name}: ${variable}`)
    }
    assert.match(String(all.get('redis')?.command), /--maxmemory-policy,noeviction/)
    const redisImage = Number(/\d+/.exec(all.get('redis')?.image ?? '')?.[0])
    assert.ok(redisImage >= 7)
  })

  test('its groups take every plugin, each in one group, and each group has a worker', async () => {
    const settings: unknown = parse(await readFile(join(ROOT, 'compose/xcore.yaml'), 'utf8'))
    const groups: Record<string, { plugins: string[] }> = Object(settings).worker.groups
    const plugins = (await readdir(join(ROOT, 'plugins'), { withFileTypes: true })).filter((entry) => entry.isDirectory())
    assert.deepEqual(
      Object.values(groups)
        .flatMap((group) => group.plugins)
        .sort(),
      plugins.map(({ name }) => name).sort(),
    )
    const started = [...(await services()).values()].filter(isXcore).map(argsOf)
    const served = started.flatMap((args) => (args[0] === 'worker' ? [args[args.indexOf('--group') + 1]] : []))
    assert.deepEqual(served.sort(), Object.keys(groups).sort())
  })

  test('its commands and environment, with a database and a Redis of the test, make a platform that works', NEEDS_REDIS, async () => {
    await using redis = await startRedisServer(['--maxmemory', '1gb', '--maxmemory-policy', 'noeviction'])
    await using database = await testDatabase()
    await using stack = new AsyncDisposableStack()
    const urls = new Map<string, string>()
    const all = await services()
    for (const [name, service] of all) {
      if (!isXcore(service)) continue
      assert.equal(service.environment['REDIS_URL'], 'redis://redis:6379')
      assert.match(service.environment['DATABASE_URL'] ?? '', /^postgres:\/\/xcore:change-me@postgres:5432\/xcore$/)
      const own = { DATABASE_URL: database.url, REDIS_URL: redis.url, XCORE_HTTP_PORT: '0', XCORE_WORKER_METRICS_PORT: '0' }
      const env = { ...service.environment, ...own, XCORE_HTTP_HOST: '127.0.0.1' }
      urls.set(name, stack.use(await startCli(argsOf(service), { cwd: ROOT, env })).url)
    }
    const url = urls.get('api') ?? ''
    const key = String(all.get('api')?.environment['XCORE_API_KEYS']).split(':').at(-1)
    const ask = async (path: string, init: RequestInit = {}) =>
      fetch(`${url}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', prefer: 'wait=30' },
      })
    const readiness = async () => JSON.stringify(await (await ask('/readyz?verbose')).json())
    await until('every plugin is served', async () => !/no worker runs/.test(await readiness()))
    const greeted = await ask('/ipc/hello/greet', { method: 'POST', body: JSON.stringify({ payload: { name: 'Ada' } }) })
    assert.equal(greeted.status, 200, await greeted.text())
  })
})
