import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { redisContenders } from './contenders.ts'
import type { Contender, Place } from './contender.ts'
import type { Cpu } from './end-to-end.ts'
import type { BenchOptions } from './options.ts'
import { redisCounters } from './redis-jobs.ts'
import { RoleProcess } from './role-process.ts'
import { chosen, inFreshPlace } from './servers.ts'
import type { Servers } from './servers.ts'
import { median } from './stats.ts'
import { table } from './table.ts'

export const WORKERS = [1, 2, 4] as const

export interface ScaleOutRun {
  readonly jobsPerSecond: number
  /** CPU seconds per 1,000 jobs; of all workers together. */
  readonly cpu: Cpu
  /** Per 1,000 jobs: all that Redis executed, and the scripts alone. */
  readonly commands: number
  readonly scripts: number
}

export interface ScaleOutResult {
  readonly contender: string
  readonly workers: number
  readonly runs: readonly ScaleOutRun[]
  readonly median: ScaleOutRun
}

/** Submits jobs from one process while 1, 2 and 4 others run them; a run ends when the last job has left Redis. */
export async function scaleOut(servers: Servers, options: BenchOptions): Promise<ScaleOutResult[]> {
  const able = chosen(redisContenders, servers, options).flatMap((contender) => WORKERS.map((workers) => ({ contender, workers })))
  const runs = new Map(able.map((one) => [one, [] as ScaleOutRun[]]))
  for (let round = 1; round <= options.rounds; round++) {
    for (const [one, own] of runs) {
      const run = await inFreshPlace(servers, (place) => once(one.contender, one.workers, place, servers, options))
      own.push(run)
      console.error(`scale out ${round}/${options.rounds} ${one.contender.name} × ${one.workers}: ${Math.round(run.jobsPerSecond)} jobs/s`)
    }
  }
  return [...runs].map(([{ contender, workers }, own]) => ({ contender: contender.name, workers, runs: own, median: medianRun(own) }))
}

async function once(
  contender: Contender,
  count: number,
  place: Place,
  servers: Servers,
  { jobs, profile }: BenchOptions,
): Promise<ScaleOutRun> {
  await contender.prepare(place)
  await using stack = new AsyncDisposableStack()
  const start = async (role: 'worker' | 'producer') => {
    const { process } = await RoleProcess.start({ role, contender: contender.name, place, count: jobs }, profile)
    stack.defer(() => process.close())
    return process
  }
  const workers: RoleProcess[] = []
  for (let index = 0; index < count; index++) workers.push(await start('worker'))
  const producer = await start('producer')
  const measure = async () => ({
    producer: producer.cpuSeconds,
    worker: workers.reduce((sum, worker) => sum + worker.cpuSeconds, 0),
    postgres: servers.postgres.cpuSeconds(),
    redis: servers.redis?.cpuSeconds() ?? 0,
    ...(await redisCounters(place.redisUrl)),
  })
  const before = await measure()
  const began = performance.now()
  producer.send({ kind: 'go' })
  await producer.expect('done')
  while ((await contender.unrecorded(place, jobs)) > 0) await pause(20)
  const seconds = (performance.now() - began) / 1000
  const after = await measure()
  const per1000 = (name: keyof typeof before) => ((after[name] - before[name]) * 1000) / jobs
  return {
    jobsPerSecond: jobs / seconds,
    cpu: { producer: per1000('producer'), worker: per1000('worker'), postgres: per1000('postgres'), redis: per1000('redis') },
    commands: per1000('commands'),
    scripts: per1000('scripts'),
  }
}

function medianRun(runs: readonly ScaleOutRun[]): ScaleOutRun {
  const middle = (pick: (run: ScaleOutRun) => number) => median(runs.map(pick))
  return {
    jobsPerSecond: middle((run) => run.jobsPerSecond),
    cpu: {
      producer: middle((run) => run.cpu.producer),
      worker: middle((run) => run.cpu.worker),
      postgres: middle((run) => run.cpu.postgres),
      redis: middle((run) => run.cpu.redis),
    },
    commands: middle((run) => run.commands),
    scripts: middle((run) => run.scripts),
  }
}

export function printScaleOut(results: readonly ScaleOutResult[], options: BenchOptions): void {
  console.log(`\nScale out: ${options.jobs} small jobs; median of ${options.rounds}`)
  console.log(
    table(
      ['', 'workers', 'jobs/s', 'CPU s per 1,000 jobs: producer', 'workers', 'postgres', 'redis', 'Redis commands', 'scripts'],
      results.map(({ contender, workers, median: { jobsPerSecond, cpu, commands, scripts } }) => [
        contender,
        String(workers),
        jobsPerSecond.toFixed(0),
        ...[cpu.producer, cpu.worker, cpu.postgres, cpu.redis].map((seconds) => seconds.toFixed(3)),
        commands.toFixed(0),
        scripts.toFixed(0),
      ]),
    ),
  )
}
