import { XCoreError } from '../errors/index.ts'
import type { Ids } from '../event-log/index.ts'
import { claimKeys, keyOf, knownKeys, recordEvents, recordRequests } from '../event-log/record-requests.ts'
import type { KeyRow, RequestRow } from '../event-log/record-requests.ts'
import { recordOutcomes } from '../event-log/record-outcomes.ts'
import type { Database } from '../postgres/sql.ts'
import type { Queue } from '../queue/index.ts'
import { mismatch, planDeliveries, planJob } from './acceptance.ts'
import type { AcceptItem, Plan } from './acceptance.ts'
import type { PluginTransaction, Staged, StagedItem } from './plugin-transaction.ts'
import { StatementRefused } from './plugin-transaction.ts'
import type { Settlement } from './settle.ts'
import { StatementRecorder } from './statement-recorder.ts'
import { spendIn } from './subscriptions.ts'
import type { Subscribers } from './subscriptions.ts'

export interface TransactionalOptions {
  readonly database: Database
  readonly queue: Queue
  readonly subscribers: Subscribers
  readonly ids: Ids
  /** Called after each commit, with what it accepted and how long it took. */
  readonly onCommit: (requests: readonly RequestRow[], logRows: number, seconds: number) => void
}

/** Writes what XCore has to write inside a plugin's transaction: staged events and jobs, and the outcome of the transaction's job. */
export interface Transactional {
  /** Whether a request with these keys is known already: in the database, or earlier in the same transaction. Throws `idempotency_mismatch`. */
  stage(item: AcceptItem, earlier: readonly StagedItem[]): Promise<Staged>
  /**
   * Commits the transaction with what is staged in it, and the outcome if there is one. `fenced`: the attempt was not the current one
   * any more, and everything was rolled back. Rejects as `PluginTransaction.commit` does.
   */
  commit(transaction: PluginTransaction, settlement?: Settlement): Promise<'committed' | 'fenced'>
}

const FENCE = 'outcome of the job'

export function createTransactional(options: TransactionalOptions): Transactional {
  const { database, queue, subscribers, ids } = options

  async function stage(item: AcceptItem, earlier: readonly StagedItem[]): Promise<Staged> {
    if (item.keys.length > 0) {
      const known = new Map<string, { readonly fingerprint: string; readonly accepted: string }>()
      for (const other of earlier)
        for (const key of other.item.keys) known.set(keyOf(key), { fingerprint: key.fingerprint, accepted: other.item.row.id })
      for (const row of await knownKeys(
        database,
        item.keys.map(({ scope, key }) => ({ scope, key })),
      ))
        known.set(keyOf(row), row)
      for (const key of item.keys) {
        const first = known.get(keyOf(key))
        if (first === undefined) continue
        if (first.fingerprint !== key.fingerprint) throw mismatch(key)
        return { known: true, id: first.accepted }
      }
    }
    return { known: false, id: item.row.id, staged: { item } }
  }

  async function commit(transaction: PluginTransaction, settlement?: Settlement): Promise<'committed' | 'fenced'> {
    const started = performance.now()
    const plans = await Promise.all(transaction.staged.map(({ item }) => planned(item)))
    const requests = plans.flatMap(({ plan }) => plan.requests)
    const entries = plans.flatMap(({ plan }) => plan.entries)
    const events = plans.flatMap(({ plan }) => (plan.event === undefined ? [] : [plan.event]))
    const keys = plans.flatMap(({ plan }) => keyRows(plan))
    const once = plans.flatMap((each) => each.once)

    const recorder = new StatementRecorder()
    const any = (label: string) => recorder.expecting(null, label)
    // First of all: it locks the job's row, and spares the rest when the attempt is fenced off.
    if (settlement !== undefined) await recordOutcomes(recorder.expecting(1, FENCE), [settlement.row])
    if (keys.length > 0) await claimKeys(recorder.expecting(keys.length, 'idempotency keys'), keys)
    if (once.length > 0) await spendIn(recorder.expecting(once.length, 'subscriptions of one event'), any('subscriptions'), once)
    await recordEvents(any('events'), events)
    await recordRequests(any('jobs'), requests)
    if (entries.length > 0) await queue.enqueue(any('queue'), entries)
    if (settlement !== undefined) await queue.acknowledge(any('queue'), [settlement.claim])

    try {
      await transaction.commit(recorder.statements)
    } catch (error) {
      if (!(error instanceof StatementRefused)) throw error
      if (error.label === FENCE) return 'fenced'
      throw new XCoreError(
        'not_ready',
        `Another transaction was quicker with the same ${error.label}; nothing of this one was written. Try again.`,
        {
          cause: error,
          retryAfterSeconds: 1,
        },
      )
    }
    await queue.committed(entries)
    if (settlement !== undefined) await queue.settled([settlement.claim], [])
    options.onCommit(requests, requests.length + events.length + (settlement === undefined ? 0 : 1), (performance.now() - started) / 1000)
    return 'committed'
  }

  /** Who receives an event is asked on a connection of our own: the plugin's cannot read it. */
  async function planned(item: AcceptItem) {
    if (item.kind === 'job') return { plan: planJob(item), once: [] }
    const matching = await subscribers.matching(database, item.row.data.name)
    return { plan: planDeliveries(item, matching, ids), once: matching.filter((subscription) => subscription.once) }
  }

  return { stage, commit }
}

function keyRows(plan: Plan): KeyRow[] {
  return plan.item.keys.map((key) => ({ ...key, accepted: plan.id, jobs: plan.requests.map((request) => request.id) }))
}
