import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import type { Contender, Place } from './contender.ts'
import { contenders } from './contenders.ts'
import type { BenchOptions } from './options.ts'
import { RoleProcess } from './role-process.ts'
import { chosen, freshGround } from './servers.ts'
import type { Servers } from './servers.ts'
import { median } from './stats.ts'
import { table } from './table.ts'

export interface Cpu {
  readonly producer: number
  readonly worker: number
  readonly postgres: number
  readonly redis: number
}

export interface EndToEndRun {
  readonly submittedPerSecond: number
  readonly jobsPerSecond: number
  /** CPU seconds per 1,000 jobs. */
  readonly cpu: Cpu
}

export interface EndToEndResult {
  readonly contender: string
  readonly setup: string
  readonly runs: readonly EndToEndRun[]
  readonly median: EndToEndRun
}

/**
 * Submits jobs in bulk from one process while another runs them; a run ends when each job's outcome is committed in Postgres.
 * Contenders alternate, so that a noisy minute hits all of them.
 */
export async function endToEnd(servers: Servers, options: BenchOptions, ground = freshGround(servers)): Promise<EndToEndResult[]> {
  const runs = new Map<Contender, EndToEndRun[]>(chosen(contenders, servers, options).map((contender) => [contender, []]))
  for (let round = 1; round <= options.rounds; round++) {
    for (const [contender, own] of runs) {
      const run = await ground((place) => once(contender, place, servers, options))
      own.push(run)
      console.error(`end to end ${round}/${options.rounds} ${contender.name}: ${Math.round(run.jobsPerSecond)} jobs/s`)
    }
  }
  return [...runs].map(([{ name, setup }, own]) => ({ contender: name, setup, runs: own, median: medianRun(own) }))
}

async function once(contender: Contender, place: Place, servers: Servers, { jobs, profile }: BenchOptions): Promise<EndToEndRun> {
  await contender.prepare(place)
  const assignment = { contender: contender.name, place, count: jobs }
  const { process: worker } = await RoleProcess.start({ role: 'worker', ...assignment }, profile)
  try {
    const { process: producer } = await RoleProcess.start({ role: 'producer', ...assignment }, profile)
    try {
      const cpu = () => ({
        producer: producer.cpuSeconds,
        worker: worker.cpuSeconds,
        postgres: servers.postgres.cpuSeconds(),
        redis: servers.redis?.cpuSeconds() ?? 0,
      })
      const before = cpu()
      const start = performance.now()
      producer.send({ kind: 'go' })
      const submitted = producer.expect('done').then(() => performance.now() - start)
      const [submittedMs] = await Promise.all([submitted, worker.expect('done')])
      while ((await contender.unrecorded(place, jobs)) > 0) await pause(5)
      const total = performance.now() - start
      const after = cpu()
      const per1000 = (name: keyof Cpu) => ((after[name] - before[name]) * 1000) / jobs
      return {
        submittedPerSecond: (jobs * 1000) / submittedMs,
        jobsPerSecond: (jobs * 1000) / total,
        cpu: {
          producer: per1000('producer'),
          worker: per1000('worker'),
          postgres: per1000('postgres'),
          redis: contender.needsRedis ? per1000('redis') : 0,
        },
      }
    } finally {
      await producer.close()
    }
  } finally {
    await worker.close()
  }
}

function medianRun(runs: readonly EndToEndRun[]): EndToEndRun {
  const middle = (pick: (run: EndToEndRun) => number) => median(runs.map(pick))
  return {
    submittedPerSecond: middle((run) => run.submittedPerSecond),
    jobsPerSecond: middle((run) => run.jobsPerSecond),
    cpu: {
      producer: middle((run) => run.cpu.producer),
      worker: middle((run) => run.cpu.worker),
      postgres: middle((run) => run.cpu.postgres),
      redis: middle((run) => run.cpu.redis),
    },
  }
}

export function printEndToEnd(results: readonly EndToEndResult[], options: BenchOptions): void {
  const ours = results.find(({ contender }) => contender === 'xcore')?.median.jobsPerSecond
  console.log(`\nEnd to end: ${options.jobs} small jobs, outcome recorded in Postgres; median of ${options.rounds}`)
  console.log(
    table(
      ['', 'submit/s', 'jobs/s', 'xcore is', 'CPU s per 1,000 jobs: producer', 'worker', 'postgres', 'redis'],
      results.map(({ contender, median: { submittedPerSecond, jobsPerSecond, cpu } }) => [
        contender,
        submittedPerSecond.toFixed(0),
        jobsPerSecond.toFixed(0),
        ours === undefined ? '' : `${(ours / jobsPerSecond).toFixed(2)}×`,
        ...[cpu.producer, cpu.worker, cpu.postgres, cpu.redis].map((seconds) => seconds.toFixed(3)),
      ]),
    ),
  )
}
