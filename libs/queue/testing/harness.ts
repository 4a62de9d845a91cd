import { jobId, pluginName, randomIds } from '../../event-log/ids.ts'
import type { PluginName } from '../../event-log/ids.ts'
import type { Database } from '../../postgres/sql.ts'
import type { Claim, Queue, QueueEntry } from '../port.ts'

/** What a driver brings to the contract: a place to keep jobs, and queues that stand for processes. */
export interface QueueStore extends AsyncDisposable {
  readonly database: Database
  /** Starts one process's queue. Disposing of it stops it; a case may have stopped it before. */
  start(settings: OpenSettings): Promise<StartedQueue>
  /** Within how many seconds a holder that went silent is found. The shortest the driver allows. */
  readonly lostAfterSeconds: number
}

export interface StartedQueue extends AsyncDisposable {
  readonly queue: Queue
}

/** What a case works with. */
export interface QueueHarness extends Pick<QueueStore, 'database' | 'lostAfterSeconds'> {
  /** One process's queue, stopped when the case is over. */
  open(settings?: OpenSettings): Promise<Queue>
}

export interface OpenSettings {
  /** True: nothing that processes announce is heard, so only polling finds jobs. Default false. */
  readonly deaf?: boolean
}

/** One test of the contract. */
export interface ContractCase {
  readonly name: string
  /** True: waits for a silent holder to be found; such cases run at the same time. */
  readonly slow?: true
  run(harness: QueueHarness): Promise<void>
}

let plugins = 0

/** A name that no other case uses: all cases share one store. */
export function freshPlugin(): PluginName {
  return pluginName(`contract_${process.pid}_${++plugins}`)
}

/** Entries of new jobs, oldest first, due at once with priority 50 unless said otherwise. */
export function entries(plugin: PluginName, count: number, settings: Partial<Pick<QueueEntry, 'priority' | 'runAt'>> = {}): QueueEntry[] {
  return Array.from({ length: count }, () => ({ jobId: jobId(randomIds.uuid()), plugin, priority: 50, runAt: null, ...settings }))
}

/** Commits entries as submit does. */
export async function put(harness: QueueHarness, queue: Queue, added: readonly QueueEntry[]): Promise<void> {
  await harness.database.transaction((tx) => queue.enqueue(tx, added))
  await queue.committed(added)
}

/** Declares a plugin and puts `count` new jobs on its queue. */
export async function filled(
  harness: QueueHarness,
  queue: Queue,
  count: number,
  settings: Partial<Pick<QueueEntry, 'priority' | 'runAt'>> = {},
) {
  const plugin = freshPlugin()
  await queue.declare([plugin])
  const added = entries(plugin, count, settings)
  await put(harness, queue, added)
  return { plugin, added }
}

/** Takes jobs off as settle does. */
export async function acknowledge(harness: QueueHarness, queue: Queue, claims: readonly Claim[]): Promise<void> {
  await harness.database.transaction((tx) => queue.acknowledge(tx, claims))
  await queue.settled(claims, [])
}

/** Claims at every hint until `count` jobs are held. */
export async function claimWhenReady(queue: Queue, plugin: PluginName, count: number): Promise<Claim[]> {
  const claims: Claim[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let looking = Promise.resolve()
  const look = () => {
    looking = looking
      .then(async () => {
        if (claims.length < count) claims.push(...(await queue.claim(plugin, count - claims.length)))
        if (claims.length >= count) resolve()
      })
      .catch(reject)
  }
  const off = queue.onReady(plugin, look)
  try {
    look()
    await promise
    return claims
  } finally {
    off()
    await looking
  }
}

export function ids(of: readonly { readonly jobId: string }[]): string[] {
  return of.map((each) => each.jobId)
}
