import type { Contender, Place } from './contender.ts'
import { endToEnd } from './end-to-end.ts'
import type { EndToEndResult } from './end-to-end.ts'
import type { BenchOptions } from './options.ts'
import { fill } from './fill.ts'
import { roundTrip } from './round-trip.ts'
import type { RoundTripResult } from './round-trip.ts'
import { inFreshPlace, sameGround } from './servers.ts'
import type { Servers } from './servers.ts'
import { table } from './table.ts'

export interface HistoryResult {
  readonly history: number
  readonly endToEnd: { readonly empty: EndToEndResult; readonly full: EndToEndResult }
  readonly roundTrips: readonly { readonly empty: RoundTripResult; readonly full: RoundTripResult }[]
}

/** Our own end-to-end rate and round trip on an empty log and on one full of finished jobs. */
export async function history(contender: Contender, servers: Servers, options: BenchOptions): Promise<HistoryResult> {
  const ours = { ...options, only: [contender.name] }
  const empty = { endToEnd: await endToEnd(servers, ours), roundTrips: await roundTrip(servers, ours) }
  return inFreshPlace(servers, async (place: Place) => {
    console.error(`history: running ${options.history} jobs to fill the log …`)
    await fill(contender, place, options.history)
    const ground = sameGround(servers, place)
    const full = { endToEnd: await endToEnd(servers, ours, ground), roundTrips: await roundTrip(servers, ours, ground) }
    return {
      history: options.history,
      endToEnd: pair(empty.endToEnd[0], full.endToEnd[0]),
      roundTrips: empty.roundTrips.map((one, index) => pair(one, full.roundTrips[index])),
    }
  })
}

function pair<T>(empty: T | undefined, full: T | undefined): { empty: T; full: T } {
  if (empty === undefined || full === undefined) throw new Error('expected a result on the empty and on the full log')
  return { empty, full }
}

export function printHistory({ history, endToEnd, roundTrips }: HistoryResult): void {
  const ratio = (full: number, empty: number) => `${(full / empty).toFixed(2)}×`
  const { empty, full } = endToEnd
  console.log(`\nWith ${history} finished jobs in the log against an empty one:`)
  console.log(
    table(
      ['', 'empty', 'full', 'ratio'],
      [
        [
          'end to end, jobs/s',
          empty.median.jobsPerSecond.toFixed(0),
          full.median.jobsPerSecond.toFixed(0),
          ratio(full.median.jobsPerSecond, empty.median.jobsPerSecond),
        ],
        ...roundTrips.flatMap((trip) => [
          [`${trip.empty.contender}, p50 ms`, trip.empty.p50.toFixed(1), trip.full.p50.toFixed(1), ratio(trip.full.p50, trip.empty.p50)],
          [`${trip.empty.contender}, p99 ms`, trip.empty.p99.toFixed(1), trip.full.p99.toFixed(1), ratio(trip.full.p99, trip.empty.p99)],
        ]),
      ],
    ),
  )
}
