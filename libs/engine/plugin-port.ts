import type { Job, JobError, PluginName } from '../event-log/index.ts'
import type { Json, JsonObject } from '../event-log/json.ts'
import type { Issue } from '../errors/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { PluginTransaction } from './plugin-transaction.ts'

/**
 * The engine's view of plugins. A plugin in this process and one in a child process look the same through it.
 * Implemented by libs/plugin-host.
 */
export interface PluginDirectory {
  /** A plugin that is ready to accept and run jobs. */
  find(plugin: string): RunnablePlugin | undefined
  /** All that are ready. */
  runnable(): readonly RunnablePlugin[]
  /** Why a known plugin is not ready; undefined for one that is, or that nobody knows. */
  refusal(plugin: string): { readonly code: string; readonly message: string } | undefined
}

export interface RunnablePlugin {
  readonly name: PluginName
  readonly version: string
  readonly limits: PluginLimits
  /** Settings of one action or handler: the manifest's `actions.NAME` over the plugin's own. */
  settings(kind: Job['kind'], name: string): JobSettings
  /**
   * Checks an action before it is accepted. `unknown`: not declared and the plugin has no free-form `handle`.
   * The validator is compiled once, at load.
   */
  accepts(action: string, payload: Json): Acceptance
  /** Whether another plugin may call and enqueue its actions (`allowed_callers`). Default: all may. */
  admits?(caller: PluginName): boolean
  /**
   * Milliseconds that the runner is waited for past the deadline: it ends the handler by force, and may say that it was not to blame
   * (`interrupted`). Default: none, the handler is given up.
   */
  readonly graceMs?: number
  /**
   * Runs one attempt. Resolves for every way in which the handler may end; rejects only when the runner itself is broken.
   * The engine races it against the deadline: after `signal` aborts, whatever it resolves to is ignored.
   */
  execute(invocation: Invocation): Promise<HandlerResult>
}

export type Acceptance =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: 'unknown' }
  | { readonly ok: false; readonly reason: 'invalid'; readonly issues: readonly Issue[] }

export interface PluginLimits {
  /** How many jobs of this plugin run at once in one process. */
  readonly concurrency: number
  /** How many run at once over all processes. Default null: no limit. */
  readonly totalConcurrency?: number | null
  /** null: no limit. Shared by all processes. */
  readonly rateLimit: { readonly calls: number; readonly periodSeconds: number } | null
}

export interface JobSettings {
  readonly timeoutSeconds: number
  /** Default priority of jobs that come without one. */
  readonly priority: number
  readonly retry: RetryPolicy
  /** `unsafe`: a replay asks for `force`. Default: safe. */
  readonly replay?: 'safe' | 'unsafe'
}

export interface RetryPolicy {
  /** Including the first one. */
  readonly maxAttempts: number
  readonly backoffSeconds: number
  readonly maxBackoffSeconds: number
}

export interface Invocation {
  readonly job: Job
  readonly deadline: Date
  /** Aborts at the deadline, on cancel, and when the process must stop. */
  readonly signal: AbortSignal
  readonly logger: Logger
  /**
   * Runs `work`, which waits for the outcome of a job of the plugin `on`: meanwhile this job's slot is free for others. Resolves or
   * rejects as `work` does, once a slot is there again. Default: the slot is kept.
   */
  readonly whileWaiting?: <T>(on: string, work: () => Promise<T>) => Promise<T>
}

/** How a handler ended. */
export type HandlerResult =
  /** It returned `ok(…)`; `result` is `{status:'ok', …}`. */
  | ({ readonly kind: 'ok'; readonly result: JsonObject } & Transactional)
  /** It returned `error(…)`: final, unless retryable. */
  | ({
      readonly kind: 'error'
      readonly error: JobError
      readonly retryable: boolean
      readonly retryAfterSeconds?: number
    } & Transactional)
  /** It threw: retried. `retryAfterSeconds` when it asked for a certain delay (RetryLater); `final` when it asked for none (Discard). */
  | { readonly kind: 'threw'; readonly error: JobError; readonly retryAfterSeconds?: number; readonly final?: boolean }
  /** It was not run to its end through no fault of its own: handed back, due after `delaySeconds`, and no attempt is spent. */
  | { readonly kind: 'interrupted'; readonly error: JobError; readonly delaySeconds: number }

/** A result that comes with an open transaction: it commits with the outcome, or is rolled back. From then on it is the engine's. */
interface Transactional {
  readonly transaction?: PluginTransaction
}
