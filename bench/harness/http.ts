import { httpContenders } from './contenders.ts'
import type { HttpContender, Place } from './contender.ts'
import { postJobs } from './http-load.ts'
import type { LoadResult } from './http-load.ts'
import type { BenchOptions } from './options.ts'
import { RoleProcess } from './role-process.ts'
import { chosen, inFreshPlace } from './servers.ts'
import type { Servers } from './servers.ts'
import { median } from './stats.ts'
import { table } from './table.ts'

export interface HttpRun extends LoadResult {
  /** CPU seconds per 1,000 requests. */
  readonly cpu: { readonly api: number; readonly postgres: number; readonly redis: number }
}

export interface HttpResult {
  readonly contender: string
  readonly setup: string
  readonly runs: readonly HttpRun[]
  readonly requestsPerSecond: number
  readonly p50: number
  readonly p99: number
  readonly cpu: HttpRun['cpu']
}

/** `POST /ipc` over 50 connections, answered with 202; no worker runs, so only the acceptance is measured. */
export async function http(servers: Servers, options: BenchOptions, all = httpContenders): Promise<HttpResult[]> {
  const runs = new Map<HttpContender, HttpRun[]>(chosen(all, servers, options).map((contender) => [contender, []]))
  for (let round = 1; round <= options.rounds; round++) {
    for (const [contender, own] of runs) {
      const run = await inFreshPlace(servers, (place) => once(contender, place, servers, options))
      own.push(run)
      console.error(`http ${round}/${options.rounds} ${contender.name}: ${Math.round(run.requestsPerSecond)} req/s, p99 ${run.p99} ms`)
    }
  }
  return [...runs].map(([{ name, setup }, own]) => {
    const middle = (pick: (run: HttpRun) => number) => median(own.map(pick))
    return {
      contender: name,
      setup,
      runs: own,
      requestsPerSecond: middle((run) => run.requestsPerSecond),
      p50: middle((run) => run.p50),
      p99: middle((run) => run.p99),
      cpu: { api: middle((run) => run.cpu.api), postgres: middle((run) => run.cpu.postgres), redis: middle((run) => run.cpu.redis) },
    }
  })
}

async function once(contender: HttpContender, place: Place, servers: Servers, { seconds, profile }: BenchOptions): Promise<HttpRun> {
  await contender.prepare(place)
  const { process: api, url } = await RoleProcess.start({ role: 'http', contender: contender.name, place, count: 0 }, profile)
  try {
    await postJobs(url, 1) // warm up
    const cpu = () => ({ api: api.cpuSeconds, postgres: servers.postgres.cpuSeconds(), redis: servers.redis?.cpuSeconds() ?? 0 })
    const before = cpu()
    const load = await postJobs(url, seconds)
    const after = cpu()
    const per1000 = (name: keyof HttpRun['cpu']) => ((after[name] - before[name]) * 1000) / load.accepted
    return { ...load, cpu: { api: per1000('api'), postgres: per1000('postgres'), redis: contender.needsRedis ? per1000('redis') : 0 } }
  } finally {
    await api.close()
  }
}

export function printHttp(results: readonly HttpResult[], options: BenchOptions): void {
  const ours = results.find(({ contender }) => contender === 'xcore')?.requestsPerSecond
  console.log(`\nHTTP: POST /ipc answered 202, 50 connections, ${options.seconds} s; median of ${options.rounds}`)
  console.log(
    table(
      ['', 'req/s', 'p50 ms', 'p99 ms', 'xcore is', 'CPU s per 1,000: api', 'postgres', 'redis'],
      results.map(({ contender, requestsPerSecond, p50, p99, cpu }) => [
        contender,
        requestsPerSecond.toFixed(0),
        p50.toFixed(0),
        p99.toFixed(0),
        ours === undefined ? '' : `${(ours / requestsPerSecond).toFixed(2)}×`,
        ...[cpu.api, cpu.postgres, cpu.redis].map((seconds) => seconds.toFixed(3)),
      ]),
    ),
  )
}
