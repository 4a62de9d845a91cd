import type { Logger } from 'pino'
import type { Static, TSchema } from 'typebox'
import type { Json, JsonObject } from '../event-log/json.ts'
import type { Cache } from './cache.ts'
import type { ActionResult, ErrorResult } from './results.ts'
import type { Scheduler } from './scheduler.ts'

/** What a free-form `handle` is given: any JSON object. Declared actions get the type of their schema instead. */
export type Payload = JsonObject

/** The attempt that a handler runs in. */
export interface JobContext {
  readonly id: string
  /** 1 at the first try. */
  readonly attempt: number
  readonly maxAttempts: number
  /** 0–100. */
  readonly priority: number
  readonly isReplay: boolean
  /** The job that this one repeats. */
  readonly replayOf: string | null
  readonly idempotencyKey: string | null
  /** Joins everything that one first request caused. */
  readonly correlationId: string
  readonly deadline: Date
  /** Aborts at the deadline, on cancel and when the process must stop. What the handler returns afterwards is ignored. */
  readonly signal: AbortSignal
  /** The plugin's logger with `job`, `attempt` and `correlation_id` on every line. */
  readonly logger: Logger
  /** Says how much is done, 0–1. Throws RangeError outside of that. */
  progress(fraction: number): void
  /**
   * What `fn(tx)` writes with `tx.query`, emits and enqueues (`{tx}`) commits with the job's outcome, in one Postgres transaction, or not
   * at all. It commits when the handler returns `ok(…)` or a final `error(…)`; when the handler throws, asks for a retry, is cancelled, times out
   * or its process is lost, nothing is left. When `fn` throws, what it wrote is taken back at once. Several calls one after the other share the
   * transaction. Throws XCoreError `bad_request` for a call inside of another, and what `getService('db')` throws.
   */
  transaction<T>(fn: (tx: Transaction) => Promise<T>): Promise<T>
}

/** An open transaction on the plugin's own schema, until its function ends. */
export interface Transaction {
  /** One statement; values as `$1`, `$2`, …. Throws as `getService('db').query` does; COMMIT and its like are refused with `bad_request`. */
  query<Result extends object = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<Result[]>
}

/** An event as its handlers get it. */
export interface EventMessage<Data = JsonObject> {
  readonly id: string
  readonly name: string
  readonly data: Data
  /** CloudEvents `source`; `xcore://plugins/NAME` when a plugin emitted it. */
  readonly source: string
  /** ISO 8601, UTC. */
  readonly time: string
  readonly correlationId: string
}

/** Called with the plugin as `this`. Returns and throws as an action's handler does; each delivery is a job with its own retries. */
// The data is whatever was emitted, so a handler states the type it expects: a method signature lets it.
export type EventHandler = { call(event: EventMessage<never>, job: JobContext): unknown }['call']

export interface SubscribeOptions {
  /** 0–100, default 50, higher first. */
  readonly priority?: number
  /** Routes deliveries to this handler, also after a restart. Default: made of pattern, handler name and a running number. */
  readonly id?: string
  /** What the event's data must fit; otherwise the delivery fails with `validation_error`, without a retry. Default: anything. */
  readonly schema?: TSchema
}

/** A subscription to events whose data has the type of a schema. */
export type TypedHandler<Schema extends TSchema> = { call(event: EventMessage<Static<Schema>>, job: JobContext): unknown }['call']
export type TypedSubscribeOptions<Schema extends TSchema> = SubscribeOptions & { readonly schema: Schema }

export interface EventSubscription {
  readonly id: string
  readonly pattern: string
  /** 0–100. */
  readonly priority: number
  readonly once: boolean
  /** Resolves once every process knows it. In `onLoad` it resolves at once: those are made known together, before the plugin is ready. */
  readonly ready: Promise<void>
  off(): Promise<void>
}

export interface EmitOptions {
  readonly delaySeconds?: number
  /** The same key again is answered with the first event: nothing is emitted twice. */
  readonly idempotencyKey?: string
  /** Emits only if that transaction commits: of `job.transaction`, or of `transaction` of the db service. */
  readonly tx?: Transaction
}

export interface PluginEvents {
  /**
   * Subscribes to events whose name fits a glob: `*` any characters (dots too), `?` one, `[seq]` one of these.
   * Throws XCoreError `bad_request` for a bad pattern, priority, schema or a taken id.
   */
  on<const Schema extends TSchema>(
    pattern: string,
    handler: TypedHandler<Schema>,
    options: TypedSubscribeOptions<Schema>,
  ): EventSubscription
  on(pattern: string, handler: EventHandler, options?: SubscribeOptions): EventSubscription
  /** The same for the first event that fits. */
  once<const Schema extends TSchema>(
    pattern: string,
    handler: TypedHandler<Schema>,
    options: TypedSubscribeOptions<Schema>,
  ): EventSubscription
  once(pattern: string, handler: EventHandler, options?: SubscribeOptions): EventSubscription
  /** Ends one subscription, or all of that pattern (and handler). Resolves once every process knows. */
  off(subscription: EventSubscription | string, handler?: EventHandler): Promise<void>
  /** Resolves with the event's id once it and a job for each subscriber are committed. `data`: JSON; undefined is `{}`. */
  emit(name: string, data?: unknown, options?: EmitOptions): Promise<string>
}

/** A plugin's own numbers, labelled with its name. Few fixed names, never ids. */
export interface PluginMetrics {
  /** Adds to a counter. Default: 1. */
  increment(name: string, by?: number): void
  /** Sets a gauge. */
  set(name: string, value: number): void
  /** Records a value in a histogram, e.g. seconds. */
  observe(name: string, value: number): void
}

/** The attempt that a hook stands around. */
export type HookJob = Pick<JobContext, 'id' | 'attempt' | 'maxAttempts' | 'priority' | 'replayOf' | 'correlationId' | 'deadline' | 'signal'>

/** What a `before` hook is told. */
export interface BeforeCall {
  readonly plugin: string
  readonly action: string
  /** As hooks before this one left it. */
  readonly payload: Payload
  readonly job: HookJob
}

/** What an `after` hook is told. */
export interface AfterCall extends BeforeCall {
  /** As the handler and hooks before this one left it: `{status: 'ok', …}` or `{status: 'error', msg, code, …}`. */
  readonly result: CallResult
}

/** Called with the plugin as `this`. Nothing: go on. `{ payload }`: go on with that one. `error(…)`: refuse; the handler does not run. */
export type BeforeResult = void | { readonly payload: object } | ErrorResult
/** Nothing: leave it. `ok(…)` or `error(…)`: that instead. */
export type AfterResult = ActionResult

export interface HookOptions {
  /** 0–100, default 50, lower first. */
  readonly priority?: number
}

export interface HookSubscription {
  readonly target: string
  /** 0–100. */
  readonly priority: number
  off(): void
}

/**
 * Interceptors of actions, of this plugin and of others (permission `plugin:<name>` write), in the process where they run. Each has 5 s.
 * The target is `plugin.action`; both may be globs. One that throws or hangs ends the attempt, which is tried again.
 */
export interface PluginHooks {
  /** Throws XCoreError `bad_request` for a bad target or priority, `permission_denied`. */
  before(target: string, handler: (call: BeforeCall) => BeforeResult | Promise<BeforeResult>, options?: HookOptions): HookSubscription
  /** Not called for a handler that threw. Throws as `before` does. */
  after(target: string, handler: (call: AfterCall) => AfterResult | Promise<AfterResult>, options?: HookOptions): HookSubscription
}

export type PermissionVerb = 'read' | 'write' | 'execute' | 'emit' | 'subscribe'

/** What the manifest lets this plugin do. The host checks by itself; ask to choose another way in time. */
export interface PluginPermissions {
  /** `allows('net:api.example.com', 'read')`. */
  allows(resource: string, verb: PermissionVerb): boolean
  /** Throws XCoreError `permission_denied` (HTTP 403, final), which is counted, logged and kept in the log. */
  check(resource: string, verb: PermissionVerb): void
}

export interface PluginContext {
  readonly name: string
  readonly version: string
  /** `env` of the manifest, `${VAR}` replaced. */
  readonly env: Readonly<Record<string, string>>
  /** `config` of the manifest. */
  readonly config: Readonly<Record<string, Json>>
  /** Inside a job it also carries `job`, `attempt` and `correlation_id`. */
  readonly logger: Logger
  readonly events: PluginEvents
  readonly hooks: PluginHooks
  readonly metrics: PluginMetrics
  readonly permissions: PluginPermissions
  /** Aborts when the plugin is unloaded. */
  readonly signal: AbortSignal
}

/** Services by name; a service adds itself here: `declare module '@xcore/sdk' { interface Services { cache: Cache } }`. */
export interface Services {
  readonly cache: Cache
  readonly scheduler: Scheduler
}

export interface CallOptions {
  /** Default 30; never past the deadline of the running job. */
  readonly timeoutSeconds?: number
}

export interface EnqueueOptions {
  /** 0–100; default: the manifest's of the plugin that is called. */
  readonly priority?: number
  readonly delaySeconds?: number
  readonly runAt?: Date
  /** The same key again is answered with the first job. */
  readonly idempotencyKey?: string
  /** Enqueues only if that transaction commits: of `job.transaction`, or of `transaction` of the db service. */
  readonly tx?: Transaction
}

/** What came of a call: the callee's `ok(…)` or `error(…)`. */
export type CallResult =
  | ({ readonly status: 'ok' } & JsonObject)
  | { readonly status: 'error'; readonly msg: string; readonly code: string; readonly status_code?: number; readonly details?: Json }
