import type { JobId } from '../event-log/index.ts'
import type { AcceptItem } from './acceptance.ts'
import type { EmitRequest, SubmitRequest } from './port.ts'

/**
 * A Postgres transaction of a plugin, in which XCore writes as well: what the plugin emitted and enqueued in it, and the outcome of
 * the job that it belongs to. Implemented by the `db` service; a sandboxed plugin's transaction lives in the host just the same.
 */
export interface PluginTransaction {
  /** What the plugin emitted and enqueued in it, in order. */
  readonly staged: readonly StagedItem[]
  /**
   * Runs the statements with XCore's own rights and commits. Nothing of the transaction is left when it rejects: with
   * `StatementRefused` when a statement met another number of rows than it expects, with XCoreError `database_error` or
   * `database_unavailable` for anything else. It rejects only when the transaction is known not to have committed, or
   * (`details.commit` is `unknown`) when the database could not be asked.
   */
  commit(statements: readonly OwnStatement[]): Promise<void>
  /** Never rejects; repeated calls do nothing. */
  rollback(): Promise<void>
}

/** A statement of XCore's own. Parameters are texts, lists of texts or null: the SQL casts them. At most eight. */
export interface OwnStatement {
  readonly text: string
  readonly params: readonly (string | null | readonly string[])[]
  /** How many rows it must touch or return; null: any number. */
  readonly rows: number | null
  /** Names the statement in `StatementRefused`. */
  readonly label: string
}

/** A statement met another number of rows than it expected; the transaction is rolled back. */
export class StatementRefused extends Error {
  override readonly name = 'StatementRefused'
  readonly label: string

  constructor(label: string) {
    super(`the statement "${label}" met another number of rows than expected; the transaction was rolled back`)
    this.label = label
  }
}

/** An event or job that waits for a plugin's transaction to commit. */
export interface StagedItem {
  readonly item: AcceptItem
}

/** Takes requests that shall commit with a plugin's transaction: checked at once, written at its end. */
export interface Stage {
  /** Resolves with the event's id. Throws what `Engine.emit` throws. */
  emit(request: EmitRequest): Promise<string>
  /** Resolves with the job's id. Throws what `Engine.submit` throws. */
  submit(request: SubmitRequest): Promise<JobId>
}

/** What the engine gives to those who open plugin transactions. `earlier`: what is staged in the same one already. */
export interface Stager {
  /** `known`: the idempotency key leads to an earlier event, and nothing is to be written. */
  stageEmit(request: EmitRequest, earlier: readonly StagedItem[]): Promise<Staged>
  stageSubmit(request: SubmitRequest, earlier: readonly StagedItem[]): Promise<Staged>
  /** Commits a transaction that belongs to no job. Rejects as `PluginTransaction.commit` does; `not_ready` for a `StatementRefused`. */
  commit(transaction: PluginTransaction): Promise<void>
}

export type Staged =
  { readonly known: true; readonly id: string } | { readonly known: false; readonly id: string; readonly staged: StagedItem }

const stages = new WeakMap<object, Stage>()

/** Makes `tx`, the object that the plugin holds, stand for a stage. */
export function bindStage(tx: object, stage: Stage): void {
  stages.set(tx, stage)
}

/** The stage behind the `tx` that a plugin passed; undefined: it is not a transaction of the db service. */
export function stageOf(tx: unknown): Stage | undefined {
  return typeof tx === 'object' && tx !== null ? stages.get(tx) : undefined
}

/** What the plugin holds of it. */
export interface TransactionHandle {
  query<Row extends object = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<Row[]>
}

/** A job's transaction as the plugin host opens it. */
export interface JobTransaction extends PluginTransaction {
  /** Runs `fn` in it. What a failed `fn` wrote, emitted and enqueued is taken back; the transaction goes on. */
  run<T>(fn: (tx: TransactionHandle) => Promise<T>): Promise<T>
  /** Ends it at once, whatever runs in it: the attempt was given up. */
  abort(): void
}
