import type { EndToEndResult } from './end-to-end.ts'
import type { HistoryResult } from './history.ts'
import type { HttpResult } from './http.ts'
import type { MemoryResult } from './memory.ts'
import type { RoundTripResult } from './round-trip.ts'
import type { ScaleOutResult, ScaleOutRun } from './scale-out.ts'
import type { SdkResult } from './sdk.ts'

export interface Results {
  readonly endToEnd?: readonly EndToEndResult[]
  readonly http?: readonly HttpResult[]
  readonly roundTrip?: readonly RoundTripResult[]
  readonly history?: HistoryResult
  readonly memory?: MemoryResult
  readonly sdk?: SdkResult
}

export interface Verdict {
  readonly what: string
  readonly target: string
  readonly reached: string
  readonly met: boolean
}

/** Flat: over a full run the heap grows by less than this share of a typical 64 MiB heap, i.e. by noise. */
const FLAT_HEAP_BYTES_PER_1000_JOBS = 16 * 1024

/** What was reached beside what was aimed at; only for what was measured. */
export function judge({ endToEnd, http, roundTrip, history, memory, sdk }: Results): Verdict[] {
  return [
    ...atLeast('end to end / pg-boss alone, batched', 0.9, endToEnd && ratio(endToEnd, 'pg-boss', (one) => one.median.jobsPerSecond)),
    ...atLeast('end to end / BullMQ, outcomes recorded', 1.5, endToEnd && ratio(endToEnd, 'bullmq', (one) => one.median.jobsPerSecond)),
    ...atLeast('HTTP / Koa + one BullMQ add', 1.0, http && ratio(http, 'koa-bullmq', (one) => one.requestsPerSecond)),
    ...atMost('round trip over HTTP, p50', 8, ' ms', roundTrip?.find(({ contender }) => contender === 'xcore-http')?.p50),
    ...atMost('round trip over HTTP, p99', 25, ' ms', roundTrip?.find(({ contender }) => contender === 'xcore-http')?.p99),
    ...(history ? historyVerdicts(history) : []),
    ...atMost(
      'worker heap growth per 1,000 jobs',
      FLAT_HEAP_BYTES_PER_1000_JOBS / 1024,
      ' KiB',
      memory && memory.heapBytesPer1000Jobs / 1024,
    ),
    ...atMost('permission check, asked before', 1_000, ' ns', sdk?.permissionCheckNs),
    ...atMost('cache.get over Redis / bare ioredis', 1.3, '×', sdk?.cacheGetRatio ?? undefined),
    ...atMost('callPlugin, p50', 10, ' ms', sdk?.callPluginP50),
    ...atMost('loading 50 plugins', 2_000, ' ms', sdk?.load50Ms),
  ]
}

/** XCore on BullMQ beside BullMQ. The peers of the CPU and command counts give each job a priority, as XCore does. */
export function judgeScaleOut(results: {
  readonly scaleOut?: readonly ScaleOutResult[]
  readonly http?: readonly HttpResult[]
  readonly roundTrip?: readonly RoundTripResult[]
}): Verdict[] {
  const run = (contender: string, workers: number) =>
    results.scaleOut?.find((one) => one.contender === contender && one.workers === workers)?.median
  const against = (peer: string, workers: number, value: (run: ScaleOutRun) => number) => {
    const [ours, theirs] = [run('xcore-redis', workers), run(peer, workers)]
    return ours && theirs && value(ours) / value(theirs)
  }
  const [http, koa] = ['xcore-redis', 'koa-bullmq'].map(
    (name) => results.http?.find(({ contender }) => contender === name)?.requestsPerSecond,
  )
  const [ours, bare] = ['xcore-redis', 'bullmq-bare'].map((name) => results.roundTrip?.find(({ contender }) => contender === name)?.p50)
  return [
    ...atLeast(
      'end to end / BullMQ, outcomes recorded, 1 worker',
      0.8,
      against('bullmq', 1, (one) => one.jobsPerSecond),
    ),
    ...atLeast(
      'end to end / BullMQ, outcomes recorded, 2 workers',
      0.8,
      against('bullmq', 2, (one) => one.jobsPerSecond),
    ),
    ...atMost(
      'Redis CPU / BullMQ alone, 1 worker',
      1.1,
      '×',
      against('bullmq-prio', 1, (one) => one.cpu.redis),
    ),
    ...atMost(
      'Redis commands / BullMQ alone, 1 worker',
      1.1,
      '×',
      against('bullmq-prio', 1, (one) => one.commands),
    ),
    ...atMost(
      'Redis scripts / BullMQ alone, 1 worker',
      1.1,
      '×',
      against('bullmq-prio', 1, (one) => one.scripts),
    ),
    ...atMost('round trip p50 / BullMQ alone', 2, '×', ours !== undefined && bare !== undefined ? ours / bare : undefined),
    ...atLeast('HTTP / Koa + one BullMQ add', 1.0, http !== undefined && koa !== undefined ? http / koa : undefined),
  ]
}

function historyVerdicts({ history, endToEnd, roundTrips }: HistoryResult): Verdict[] {
  const rows = history.toLocaleString('en')
  return [
    ...atLeast(
      `end to end at ${rows} jobs of history / empty`,
      0.85,
      endToEnd.full.median.jobsPerSecond / endToEnd.empty.median.jobsPerSecond,
    ),
    ...roundTrips.flatMap(({ empty, full }) =>
      atMost(`${empty.contender} round trip p50 at ${rows} / empty`, 1.15, '×', full.p50 / empty.p50),
    ),
  ]
}

function ratio<T extends { readonly contender: string }>(
  results: readonly T[],
  peer: string,
  value: (one: T) => number,
): number | undefined {
  const ours = results.find(({ contender }) => contender === 'xcore')
  const theirs = results.find(({ contender }) => contender === peer)
  return ours && theirs && value(ours) / value(theirs)
}

function atLeast(what: string, target: number, reached: number | undefined): Verdict[] {
  return reached === undefined ? [] : [{ what, target: `≥ ${target}×`, reached: `${reached.toFixed(2)}×`, met: reached >= target }]
}

function atMost(what: string, target: number, unit: string, reached: number | undefined): Verdict[] {
  return reached === undefined
    ? []
    : [{ what, target: `≤ ${target}${unit}`, reached: `${reached.toFixed(2)}${unit}`, met: reached <= target }]
}
