import { contenders } from './contenders.ts'
import type { Contender, Place } from './contender.ts'
import type { BenchOptions } from './options.ts'
import { RoleProcess } from './role-process.ts'
import { chosen, freshGround } from './servers.ts'
import type { Servers } from './servers.ts'
import { median, quantile } from './stats.ts'
import { table } from './table.ts'

export interface RoundTripResult {
  readonly contender: string
  readonly setup: string
  /** Milliseconds; the median over the rounds of each round's quantile. */
  readonly p50: number
  readonly p99: number
  readonly rounds: readonly { readonly p50: number; readonly p99: number }[]
}

/** One job at a time from "submit" to "the sender knows the outcome", everything else idle. */
export async function roundTrip(
  servers: Servers,
  options: BenchOptions,
  ground = freshGround(servers),
  all: readonly Contender[] = contenders,
): Promise<RoundTripResult[]> {
  const able = all.flatMap((contender) =>
    contender.roundTrips.map(({ name, setup }) => ({ name, setup, contender, needsRedis: contender.needsRedis })),
  )
  const rounds = new Map(chosen(able, servers, options).map((one) => [one, [] as { p50: number; p99: number }[]]))
  for (let round = 1; round <= options.rounds; round++) {
    for (const [one, own] of rounds) {
      const milliseconds = await ground((place) => once(one.contender, one.name, place, options))
      const result = { p50: quantile(milliseconds, 0.5), p99: quantile(milliseconds, 0.99) }
      own.push(result)
      console.error(`round trip ${round}/${options.rounds} ${one.name}: p50 ${result.p50.toFixed(1)} ms, p99 ${result.p99.toFixed(1)} ms`)
    }
  }
  return [...rounds].map(([{ name, setup }, own]) => ({
    contender: name,
    setup,
    p50: median(own.map(({ p50 }) => p50)),
    p99: median(own.map(({ p99 }) => p99)),
    rounds: own,
  }))
}

async function once(contender: Contender, name: string, place: Place, { trips, profile }: BenchOptions): Promise<readonly number[]> {
  await contender.prepare(place)
  const { process } = await RoleProcess.start({ role: 'round-trip', contender: name, place, count: trips }, profile)
  try {
    process.send({ kind: 'go' })
    return (await process.expect('done')).milliseconds ?? []
  } finally {
    await process.close()
  }
}

export function printRoundTrip(results: readonly RoundTripResult[], options: BenchOptions): void {
  console.log(`\nRound trip: ${options.trips} single jobs at low load; median of ${options.rounds}`)
  console.log(
    table(
      ['', 'p50 ms', 'p99 ms'],
      results.map(({ contender, p50, p99 }) => [contender, p50.toFixed(1), p99.toFixed(1)]),
    ),
  )
}
