import type { JobId, PluginName } from '../event-log/ids.ts'
import type { Tx } from '../postgres/sql.ts'

/**
 * What takes a `tx` issues its statements before it returns, so that a whole transaction can leave in one packet (`Database.atOnce`).
 *
 * The queue: which jobs are due, and who holds them. It stores pointers only (job id, priority, due time); payloads,
 * attempts and outcomes live in the `jobs` table and the log, so a queue can be lost and restored from them.
 *
 * Nothing outside libs/queue knows which engine runs behind this port. libs/queue/testing/contract.ts is the suite that
 * every adapter passes whole.
 */
export interface Queue {
  /** For logs and `doctor` only. */
  readonly driver: string
  start(): Promise<void>
  /** Stops claiming and releases connections; what is still held is found as lost by others. */
  stop(): Promise<void>

  /** Makes sure a queue exists for each plugin. Idempotent, safe when several processes do it at once. */
  declare(plugins: readonly PluginName[]): Promise<void>

  /**
   * Puts jobs on their plugins' queues. A transactional driver does it in `tx`; another one does it in `committed`.
   * The plugins must have been declared.
   */
  enqueue(tx: Tx, entries: readonly QueueEntry[]): Promise<void>
  /** Called once after `tx` has committed: wakes consumers, and adds what a non-transactional driver must. Never throws. */
  committed(entries: readonly QueueEntry[]): Promise<void>

  /**
   * Takes up to `limit` due jobs of one plugin: highest priority first, then oldest. Each is held by this process until it is
   * acknowledged, retried or released, or until its heartbeat is missed. With `total` it takes so few that no more than that many
   * of the plugin's jobs are held over all processes.
   */
  claim(plugin: PluginName, limit: number, total?: number): Promise<Claim[]>
  /** Calls `listener` when jobs of the plugin may have become due (a hint: the claim may still find none). */
  onReady(plugin: PluginName, listener: () => void): () => void
  /** Says that this process still works on these. */
  heartbeat(claims: readonly Claim[]): Promise<void>

  /** Takes settled jobs off the queue, in the transaction that records their outcomes. */
  acknowledge(tx: Tx, claims: readonly Claim[]): Promise<void>
  /** Puts jobs back for a later attempt, in the transaction that records the failed one. */
  retry(tx: Tx, retries: readonly RetryEntry[]): Promise<void>
  /** Called once after the transaction of `acknowledge` and `retry` has committed. Never throws. */
  settled(claims: readonly Claim[], retries: readonly RetryEntry[]): Promise<void>
  /** Hands jobs back, due at `runAt`; they count as never claimed, so no attempt is spent. */
  release(entries: readonly RetryEntry[]): Promise<void>
  /** Takes jobs off the queue whoever holds them (cancel). */
  remove(tx: Tx, entries: readonly Pick<QueueEntry, 'jobId' | 'plugin'>[]): Promise<void>

  /** Which of these jobs are held now, and since when. */
  held(entries: readonly Pick<QueueEntry, 'jobId' | 'plugin'>[]): Promise<Map<JobId, Date>>
  /** Ids of jobs on the queue, newest id first, below `before`: how `GET /jobs?state=queued` avoids a scan of all history. */
  list(filter: QueueFilter): Promise<JobId[]>
  /** Waiting and held counts by plugin, for metrics; may cost a scan of the live rows. */
  depths(): Promise<QueueDepth[]>
}

export interface QueueEntry {
  readonly jobId: JobId
  readonly plugin: PluginName
  /** 0–100, higher first. */
  readonly priority: number
  /** null: due at once. */
  readonly runAt: Date | null
  /** How many attempts have ended. Default 0: a new job. */
  readonly attempts?: number
}

/** One job held by this process. */
export interface Claim {
  readonly jobId: JobId
  readonly plugin: PluginName
  /** True when an earlier holder stopped answering since the job was last put on the queue. */
  readonly lost: boolean
}

export interface RetryEntry {
  readonly claim: Claim
  readonly priority: number
  readonly runAt: Date
}

export interface QueueFilter {
  readonly plugin?: PluginName
  readonly held: boolean
  readonly before?: JobId
  readonly limit: number
}

export interface QueueDepth {
  readonly plugin: PluginName
  /** Due and not held. */
  readonly waiting: number
  /** Not due yet. */
  readonly delayed: number
  readonly held: number
  /** Since when the job that has waited longest is due. */
  readonly oldestWaitingSince: Date | null
}
