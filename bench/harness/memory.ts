import { setTimeout as pause } from 'node:timers/promises'
import type { Contender, Place } from './contender.ts'
import type { BenchOptions } from './options.ts'
import { RoleProcess } from './role-process.ts'
import { inFreshPlace } from './servers.ts'
import type { Servers } from './servers.ts'
import { slope } from './stats.ts'

export interface MemorySample {
  readonly jobs: number
  readonly residentBytes: number
  /** After a full collection. */
  readonly heapBytes: number
}

export interface MemoryResult {
  readonly jobs: number
  readonly samples: readonly MemorySample[]
  /** Of the samples after the first fifth (start-up, first batches, compiled code): growth over the rest of the run. */
  readonly heapBytesPer1000Jobs: number
  readonly residentBytesPer1000Jobs: number
}

const SAMPLES = 20
const WARM_UP = 0.2

/** Watches the memory of one worker process over many jobs. */
export function memory(contender: Contender, servers: Servers, options: BenchOptions): Promise<MemoryResult> {
  return inFreshPlace(servers, (place) => watch(contender, place, options))
}

async function watch(contender: Contender, place: Place, { memoryJobs: jobs }: BenchOptions): Promise<MemoryResult> {
  await contender.prepare(place)
  const assignment = { contender: contender.name, place, count: jobs }
  const { process: worker } = await RoleProcess.start({ role: 'worker', ...assignment })
  try {
    const { process: producer } = await RoleProcess.start({ role: 'producer', ...assignment })
    try {
      producer.send({ kind: 'go' })
      const samples = await sample(worker, jobs)
      const settled = samples.filter((one) => one.jobs >= jobs * WARM_UP)
      const growth = (pick: (one: MemorySample) => number) => slope(settled.map((one) => ({ x: one.jobs / 1000, y: pick(one) })))
      return {
        jobs,
        samples,
        heapBytesPer1000Jobs: growth((one) => one.heapBytes),
        residentBytesPer1000Jobs: growth((one) => one.residentBytes),
      }
    } finally {
      await producer.close()
    }
  } finally {
    await worker.close()
  }
}

async function sample(worker: RoleProcess, jobs: number): Promise<MemorySample[]> {
  const samples: MemorySample[] = []
  for (;;) {
    worker.send({ kind: 'collect' })
    const { ran, heapBytes } = await worker.expect('collected')
    const last = samples.at(-1)?.jobs ?? -1
    if (ran >= last + jobs / SAMPLES || ran >= jobs) samples.push({ jobs: ran, residentBytes: worker.residentBytes, heapBytes })
    if (ran >= jobs) return samples
    await pause(200)
  }
}

export function printMemory({ jobs, samples, heapBytesPer1000Jobs, residentBytesPer1000Jobs }: MemoryResult): void {
  const megabytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1)
  console.log(`\nMemory of the worker over ${jobs} jobs (heap after a collection / resident, MiB):`)
  console.log(samples.map((one) => `  ${one.jobs}: ${megabytes(one.heapBytes)} / ${megabytes(one.residentBytes)}`).join('\n'))
  console.log(
    `Slope after the first fifth: heap ${(heapBytesPer1000Jobs / 1024).toFixed(1)} KiB, resident ${(residentBytesPer1000Jobs / 1024).toFixed(1)} KiB per 1,000 jobs`,
  )
}
