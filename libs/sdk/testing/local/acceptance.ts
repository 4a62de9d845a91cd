import { mismatch, planDeliveries, planJob } from '../../../engine/acceptance.ts'
import type { Acceptance, Accepted, AcceptItem, EventItem, Plan } from '../../../engine/acceptance.ts'
import type { PluginTransaction, Staged, StagedItem } from '../../../engine/plugin-transaction.ts'
import type { Transactional } from '../../../engine/transactional.ts'
import { compileGlob } from '../../../event-log/glob.ts'
import { jobId, randomIds } from '../../../event-log/index.ts'
import type { JobId } from '../../../event-log/index.ts'
import { keyOf } from '../../../event-log/record-requests.ts'
import type { RequestRow } from '../../../event-log/record-requests.ts'
import type { KnownSubscription } from '../../../engine/subscriptions.ts'

export interface MemoryAcceptanceOptions {
  /** Those that are there, by priority; an event takes its `once` ones off. */
  readonly subscriptions: Map<string, KnownSubscription>
  readonly onRequests: (rows: readonly RequestRow[]) => void
  readonly onEvent: (item: EventItem) => void
}

interface Known {
  readonly fingerprint: string
  readonly id: string
  readonly jobs: readonly JobId[]
}

/** Accepts jobs and events as the engine does, into memory. */
export class MemoryAcceptance implements Acceptance, Transactional {
  readonly #options: MemoryAcceptanceOptions
  readonly #keys = new Map<string, Known>()

  constructor(options: MemoryAcceptanceOptions) {
    this.#options = options
  }

  async accept(item: AcceptItem): Promise<Accepted> {
    return this.#known(item) ?? this.#write(item)
  }

  async drained(): Promise<void> {}

  async stage(item: AcceptItem, earlier: readonly StagedItem[]): Promise<Staged> {
    const known = this.#known(item) ?? earlierOf(item, earlier)
    return known === undefined ? { known: false, id: item.row.id, staged: { item } } : { known: true, id: known.id }
  }

  async commit(transaction: PluginTransaction): Promise<'committed'> {
    await transaction.commit([])
    for (const { item } of transaction.staged) this.#write(item)
    return 'committed'
  }

  #write(item: AcceptItem): Accepted {
    const plan = this.#planOf(item)
    for (const key of item.keys) {
      this.#keys.set(keyOf(key), { fingerprint: key.fingerprint, id: plan.id, jobs: plan.requests.map(({ id }) => id) })
    }
    if (item.kind === 'event') this.#options.onEvent(item)
    this.#options.onRequests(plan.requests)
    return { id: plan.id, jobs: plan.requests.map(({ id }) => id), replayed: false }
  }

  #planOf(item: AcceptItem): Plan {
    if (item.kind === 'job') return planJob(item)
    const { subscriptions } = this.#options
    const fitting = [...subscriptions].filter(([, { pattern }]) => compileGlob(pattern)(item.row.data.name))
    for (const [key, { once }] of fitting) if (once) subscriptions.delete(key)
    const receivers = fitting.map(([, subscription]) => subscription).sort((a, b) => b.priority - a.priority)
    return planDeliveries(item, receivers, randomIds)
  }

  #known(item: AcceptItem): Accepted | undefined {
    for (const key of item.keys) {
      const known = this.#keys.get(keyOf(key))
      if (known === undefined) continue
      if (known.fingerprint !== key.fingerprint) throw mismatch(key)
      return { id: known.id, jobs: known.jobs.map((id) => jobId(id)), replayed: true }
    }
    return undefined
  }
}

function earlierOf(item: AcceptItem, earlier: readonly StagedItem[]): { readonly id: string } | undefined {
  for (const { item: other } of earlier) {
    for (const key of other.keys) {
      const same = item.keys.find((own) => keyOf(own) === keyOf(key))
      if (same === undefined) continue
      if (same.fingerprint !== key.fingerprint) throw mismatch(same)
      return { id: other.row.id }
    }
  }
  return undefined
}
