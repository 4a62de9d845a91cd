import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { parseManifest } from '../../libs/manifest/index.ts'
import { createPermissions, createPluginHost } from '../../libs/plugin-host/index.ts'
import { MemoryPlatform } from '../../libs/plugin-host/testing/memory-platform.ts'
import { PluginCache } from '../../libs/services/cache/index.ts'
import { REDIS_DEFAULTS } from '../../libs/redis/settings.ts'
import { createRedisCacheStore } from '../../libs/services/cache/redis/store.ts'
import { openBoth } from '../xcore/processes.ts'
import type { BenchOptions } from './options.ts'
import { freshGround } from './servers.ts'
import type { Servers } from './servers.ts'
import { median, quantile } from './stats.ts'
import { table } from './table.ts'

export interface SdkResult {
  /** Nanoseconds of one check that was asked before, among 20 rules. */
  readonly permissionCheckNs: number
  /** Time of `cache.get` over that of a bare ioredis `get`, one at a time; null: no Redis here. */
  readonly cacheGetRatio: number | null
  readonly cacheGetMicroseconds: number | null
  /** Milliseconds of `callPlugin` from one plugin to another, in one process. */
  readonly callPluginP50: number
  readonly callPluginP99: number
  /** Milliseconds until 50 plugins of a file each are ready. */
  readonly load50Ms: number
}

const silent = pino({ level: 'silent' })
const CHECKS = 1_000_000
const GETS = 2_000
const PLUGINS = 50

/** What plugins pay for the SDK's services. */
export async function sdk(servers: Servers, options: BenchOptions): Promise<SdkResult> {
  const cache = servers.redis === undefined ? undefined : await cacheGet(servers.redis.url, options.rounds)
  const calls = await callPlugin(servers, options.trips)
  return {
    permissionCheckNs: permissionCheck(options.rounds),
    cacheGetRatio: cache?.ratio ?? null,
    cacheGetMicroseconds: cache?.microseconds ?? null,
    callPluginP50: quantile(calls, 0.5),
    callPluginP99: quantile(calls, 0.99),
    load50Ms: await load50(),
  }
}

function permissions() {
  const rules = Array.from({ length: 19 }, (_, index) => `  - {resource: "cache.other${index}:*", effect: deny}\n`)
  const text = `name: bench\nversion: 1.0.0\npermissions:\n${rules.join('')}  - {resource: "cache.*", actions: [read], effect: allow}\n`
  return createPermissions(parseManifest(text, 'plugin.yaml'), () => {})
}

function permissionCheck(rounds: number): number {
  const { check } = permissions()
  const times = Array.from({ length: rounds + 1 }, () => {
    const started = process.hrtime.bigint()
    for (let index = 0; index < CHECKS; index += 1) check('cache.user:1', 'read')
    return Number(process.hrtime.bigint() - started) / CHECKS
  })
  // The first round warms up.
  return median(times.slice(1))
}

/** Alternating, so that both meet the same machine. */
async function cacheGet(url: string, rounds: number): Promise<{ readonly ratio: number; readonly microseconds: number }> {
  const bare = new Redis(url)
  const store = createRedisCacheStore({ redis: { ...REDIS_DEFAULTS, url }, logger: silent })
  try {
    const cache = new PluginCache({ plugin: 'bench', store, permissions: permissions() })
    const value = { id: 7, name: 'Ada', tags: ['a', 'b'] }
    await bare.set('bench', JSON.stringify(value))
    await store.set('bench', [{ key: 'user:1', value: JSON.stringify(value) }], 600_000)
    const times = { bare: [] as number[], cache: [] as number[] }
    for (let round = 0; round <= rounds; round += 1) {
      const bareMs = await timed(() => bare.get('bench'))
      const cacheMs = await timed(() => cache.get('user:1'))
      if (round === 0) continue
      times.bare.push(bareMs)
      times.cache.push(cacheMs)
    }
    return { ratio: median(times.cache) / median(times.bare), microseconds: (median(times.cache) * 1000) / GETS }
  } finally {
    bare.disconnect()
    await store.close()
  }
}

async function timed(once: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  for (let index = 0; index < GETS; index += 1) await once()
  return performance.now() - started
}

async function callPlugin(servers: Servers, trips: number): Promise<readonly number[]> {
  return freshGround(servers)(async (place) => {
    const { engine, close } = await openBoth(place)
    try {
      const measure = async (count: number): Promise<readonly number[]> => {
        const { jobId } = await engine.submit({
          plugin: 'caller',
          action: 'measure',
          payload: { trips: count },
          source: 'cli',
          awaited: true,
        })
        const job = await engine.wait(jobId, 120_000)
        const measured = job?.result?.['milliseconds']
        if (!Array.isArray(measured)) throw new Error(`expected times, found ${job?.state} ${JSON.stringify(job?.error)}`)
        return measured.map(Number)
      }
      await measure(Math.min(50, trips))
      return await measure(trips)
    } finally {
      await close()
    }
  })
}

async function load50(): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'xcore-bench-plugins-'))
  try {
    for (let index = 0; index < PLUGINS; index += 1) {
      const folder = join(dir, `plugin${index}`)
      await mkdir(join(folder, 'src'), { recursive: true })
      await writeFile(join(folder, 'plugin.yaml'), `name: plugin${index}\nversion: 1.0.0\n`)
      await writeFile(join(folder, 'src/main.ts'), entry())
    }
    const host = createPluginHost({ dir, frameworkVersion: '3.0.0', hostEnv: {}, logger: silent })
    const started = performance.now()
    await host.loadAll(new MemoryPlatform((plugin) => host.find(plugin), silent))
    const milliseconds = performance.now() - started
    const ready = host.runnable().length
    await host.unloadAll()
    if (ready !== PLUGINS) throw new Error(`expected ${PLUGINS} plugins ready, found ${ready}`)
    return milliseconds
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function entry(): string {
  return `import { action, ok, Router, TrustedBase, Type } from '@xcore/sdk'
export default class Plugin extends TrustedBase {
  override async onLoad() { this.ctx.events.on('user.*', () => ok()) }
  override actions = {
    create: action({ input: Type.Object({ name: Type.String(), tags: Type.Array(Type.String()) }), handler: ({ name }) => ok({ name }) }),
    update: action({ input: Type.Object({ id: Type.String(), name: Type.Optional(Type.String()) }), handler: () => ok() }),
  }
  override getRouter() {
    const router = new Router()
    router.get('/', (ctx) => { ctx.body = {} })
    return router
  }
}
`
}

export function printSdk(result: SdkResult): void {
  const cache =
    result.cacheGetRatio === null
      ? 'left out: no redis-server'
      : `${result.cacheGetRatio.toFixed(2)}× of bare ioredis (${result.cacheGetMicroseconds?.toFixed(0)} µs)`
  console.log('\nSDK')
  console.log(
    table(
      ['', ''],
      [
        ['permission check, asked before, 20 rules', `${result.permissionCheckNs.toFixed(0)} ns`],
        ['cache.get over Redis', cache],
        ['callPlugin, p50 / p99', `${result.callPluginP50.toFixed(1)} / ${result.callPluginP99.toFixed(1)} ms`],
        ['loading 50 plugins', `${result.load50Ms.toFixed(0)} ms`],
      ],
    ),
  )
}
