import { parseArgs } from 'node:util'

export interface BenchOptions {
  /** Jobs of one end-to-end run. */
  readonly jobs: number
  /** Runs of each contender, alternating; the median counts. */
  readonly rounds: number
  /** Length of one HTTP run. */
  readonly seconds: number
  /** Round trips of one run. */
  readonly trips: number
  /** Rows of history for the full-log runs. */
  readonly history: number
  /** Jobs of the memory run. */
  readonly memoryJobs: number
  /** Only these contenders; empty: all. */
  readonly only: readonly string[]
  /** Which parts `run.ts` runs; empty: all. */
  readonly parts: readonly string[]
  /** Folder for V8 CPU profiles of our processes; null: none. */
  readonly profile: string | null
  readonly json: boolean
}

const FULL = { jobs: 100_000, rounds: 3, seconds: 8, trips: 500, history: 1_000_000, memoryJobs: 200_000 }
const QUICK = { jobs: 10_000, rounds: 1, seconds: 2, trips: 100, history: 50_000, memoryJobs: 20_000 }

/** Reads the flags that all bench programs share. Throws when a number is not a positive integer. */
export function readOptions(args: readonly string[] = process.argv.slice(2)): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      jobs: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      trips: { type: 'string' },
      history: { type: 'string' },
      'memory-jobs': { type: 'string' },
      only: { type: 'string' },
      parts: { type: 'string' },
      profile: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const sizes = values.quick ? QUICK : FULL
  return {
    jobs: count('jobs', values.jobs, sizes.jobs),
    rounds: count('rounds', values.rounds, sizes.rounds),
    seconds: count('seconds', values.seconds, sizes.seconds),
    trips: count('trips', values.trips, sizes.trips),
    history: count('history', values.history, sizes.history),
    memoryJobs: count('memory-jobs', values['memory-jobs'], sizes.memoryJobs),
    only: names(values.only),
    parts: names(values.parts),
    profile: values.profile ?? null,
    json: values.json,
  }
}

function count(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const value = Number(text.replaceAll('_', ''))
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${flag}: expected a whole number of at least 1, found ${JSON.stringify(text)}`)
  return value
}

function names(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(',').map((name) => name.trim())
}
