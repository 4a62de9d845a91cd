import { evolve } from '../event-log/index.ts'
import type { StoredJob } from '../event-log/index.ts'
import { FENCED_STATE, recordAllOutcomes, recordOutcomes } from '../event-log/record-outcomes.ts'
import type { OutcomeRow } from '../event-log/record-outcomes.ts'
import { sqlState } from '../postgres/connection.ts'
import type { Database, Tx } from '../postgres/sql.ts'
import type { Claim, Queue, RetryEntry } from '../queue/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import { Afterwards, UNTOLD_BATCHES } from './afterwards.ts'
import { pause } from './pause.ts'
import { PressureBatch } from './pressure-batch.ts'
import type { PluginTransaction } from './plugin-transaction.ts'
import type { Settled } from './pressure-batch.ts'
import type { Transactional } from './transactional.ts'

/** One attempt's end, ready to be recorded. */
export interface Settlement {
  readonly job: StoredJob
  readonly claim: Claim
  readonly row: OutcomeRow
  /** True for a lost attempt that is followed by the next one at once, under the same claim. */
  readonly keepClaim?: boolean
}

/** `fenced`: the attempt was not the current one any more (cancelled, or lost and run elsewhere); nothing was written. */
export type SettleResult = { readonly fenced: true } | RecordedEnd

/** An end that was recorded. `job`, as the read model now has it, is made when asked for: for most jobs nobody does. */
export interface RecordedEnd {
  readonly fenced: false
  readonly before: StoredJob
  /** Not to be tried again. */
  readonly terminal: boolean
  readonly state: OutcomeRow['state']
  readonly job: StoredJob
}

export interface Settler {
  /** Resolves once committed. Keeps trying while the database is away; rejects only after `stop`. */
  settle(settlement: Settlement): Promise<SettleResult>
  /** The same together with what the job's handler wrote in `transaction`. Tried once: rejects when that did not commit. */
  settleWith(transaction: PluginTransaction, settlement: Settlement): Promise<SettleResult>
  drained(): Promise<void>
  /** Gives up on what cannot be written: those jobs are found as lost and run again. */
  stop(): void
}

export interface SettlerOptions {
  readonly transactional: Transactional
  readonly database: Database
  readonly queue: Queue
  readonly logger: Logger
  readonly onSettled: (ends: readonly RecordedEnd[]) => void
  /** Called for each batch that committed. */
  readonly onCommit?: (logRows: number, seconds: number) => void
}

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2_000

/**
 * Records outcomes: log, jobs row and queue in one transaction for many jobs at a time. Handlers have run by now, so an outcome
 * is held and tried again for as long as the database is away.
 */
export function createSettler(options: SettlerOptions): Settler {
  const { database, queue, logger } = options
  const stopping = new AbortController()
  // Recorded is what is committed: a queue beside Postgres hears of it while who waits already has the outcome.
  const told = new Afterwards(UNTOLD_BATCHES)

  // In nearly all batches every outcome passes the fence, so log, queue and COMMIT leave together on that assumption; a batch in which one
  // was fenced fails as a whole and is done again with a look in between.
  async function commit(items: readonly Settlement[]): Promise<ReadonlySet<string>> {
    const started = performance.now()
    const passed = await allAtOnce(items).catch((error: unknown) => {
      if (sqlState(error) === FENCED_STATE) return database.transaction((tx) => stepByStep(tx, items))
      throw error
    })
    options.onCommit?.(passed.size, (performance.now() - started) / 1000)
    return passed
  }

  async function allAtOnce(items: readonly Settlement[]): Promise<ReadonlySet<string>> {
    const rows = items.map((item) => item.row)
    await database.atOnce((tx) => Promise.all([recordAllOutcomes(tx, rows), ...queueWrites(tx, items)]))
    return new Set(rows.map((row) => row.id))
  }

  async function stepByStep(tx: Tx, items: readonly Settlement[]): Promise<ReadonlySet<string>> {
    const passed = await recordOutcomes(
      tx,
      items.map((item) => item.row),
    )
    await Promise.all(
      queueWrites(
        tx,
        items.filter((item) => passed.has(item.row.id)),
      ),
    )
    return passed
  }

  function queueWrites(tx: Tx, items: readonly Settlement[]): Promise<void>[] {
    const { done, retries } = split(items)
    return [...(done.length > 0 ? [queue.acknowledge(tx, done)] : []), ...(retries.length > 0 ? [queue.retry(tx, retries)] : [])]
  }

  async function flush(items: readonly Settlement[]): Promise<readonly Settled<SettleResult>[]> {
    for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
      stopping.signal.throwIfAborted()
      try {
        const passed = await commit(items)
        const { done, retries } = split(items.filter((item) => passed.has(item.row.id)))
        const results = items.map((item): SettleResult => (passed.has(item.row.id) ? recordedEnd(item) : { fenced: true }))
        options.onSettled(results.filter((result) => !result.fenced))
        await told.follow(queue.settled(done, retries))
        return results.map((value) => ({ ok: true, value }))
      } catch (error) {
        if (/^2[23]/.test(sqlState(error) ?? '')) return oneByOne(items, error)
        logger.warn({ err: error, jobs: items.length }, 'outcomes could not be recorded; they are held and tried again')
        await pause(wait, stopping.signal)
      }
    }
  }

  // A value that Postgres refuses must not keep its neighbours from being recorded.
  async function oneByOne(items: readonly Settlement[], error: unknown): Promise<readonly Settled<SettleResult>[]> {
    if (items.length === 1) return [{ ok: false, error }]
    const results: Settled<SettleResult>[] = []
    for (const item of items) results.push(...(await flush([item])))
    return results
  }

  /** A statement settles a job once; a second outcome of the same job (its attempt was lost, and came here again) takes its turn after it. */
  async function inRounds(items: readonly Settlement[]): Promise<readonly Settled<SettleResult>[]> {
    const rounds = roundsOf(items)
    if (rounds.length === 1) return flush(items)
    const ends = new Map<Settlement, Settled<SettleResult>>()
    for (const round of rounds) {
      const answers = await flush(round).catch((error: unknown) => round.map(() => ({ ok: false as const, error })))
      round.forEach((item, index) => ends.set(item, answers[index] ?? { ok: false, error: new Error('an outcome was not answered for') }))
    }
    return items.flatMap((item) => ends.get(item) ?? [])
  }

  const batch = new PressureBatch(inRounds, { maxItems: 500, lanes: 2 })
  return {
    settle: (settlement) => batch.add(settlement),
    async settleWith(transaction, settlement) {
      if ((await options.transactional.commit(transaction, settlement)) === 'fenced') return { fenced: true }
      const end = recordedEnd(settlement)
      options.onSettled([end])
      return end
    },
    async drained() {
      await batch.drained()
      await told.drained()
    },
    stop: () => stopping.abort(new Error('the settler was stopped before the outcome could be recorded')),
  }
}

/** No job twice in one round. */
function roundsOf(items: readonly Settlement[]): Settlement[][] {
  const rounds: Settlement[][] = []
  const counts = new Map<string, number>()
  for (const item of items) {
    const round = counts.get(item.row.id) ?? 0
    counts.set(item.row.id, round + 1)
    ;(rounds[round] ??= []).push(item)
  }
  return rounds
}

function split(items: readonly Settlement[]): { done: Claim[]; retries: RetryEntry[] } {
  const done: Claim[] = []
  const retries: RetryEntry[] = []
  for (const { claim, job, row, keepClaim } of items) {
    if (row.state !== 'retrying') done.push(claim)
    else if (keepClaim !== true) retries.push({ claim, priority: job.priority, runAt: retryAt(row) })
  }
  return { done, retries }
}

function retryAt(row: OutcomeRow): Date {
  return row.type === 'job.attempt_failed' && row.data.retry_at !== undefined ? new Date(row.data.retry_at) : new Date()
}

function recordedEnd(item: Settlement): RecordedEnd {
  let job: StoredJob | undefined
  return {
    fenced: false,
    before: item.job,
    terminal: item.row.state !== 'retrying',
    state: item.row.state,
    get job() {
      return (job ??= after(item))
    },
  }
}

/** The job as the read model now has it, without reading it back: the same fold. */
function after({ job, row }: Settlement): StoredJob {
  const fact = (event: Parameters<typeof evolve>[1]['event']) => ({
    stream: job.id,
    plugin: job.plugin,
    recordedAt: job.requestedAt,
    event,
  })
  const first = evolve(job, fact(eventOf(row)))
  return row.state === 'dead' ? evolve(first, fact({ type: 'job.dead', ...row.dead })) : first
}

function eventOf(row: OutcomeRow) {
  switch (row.type) {
    case 'job.succeeded':
      return { type: row.type, ...row.data }
    case 'job.failed':
      return { type: row.type, ...row.data }
    case 'job.attempt_failed':
      return { type: row.type, ...row.data }
    case 'job.attempt_lost':
      return { type: row.type, ...row.data }
  }
}
