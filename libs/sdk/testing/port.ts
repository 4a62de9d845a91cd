import type { CallResult, Payload } from '../context.ts'
import type { ActionResult } from '../results.ts'

export interface LoadPluginOptions {
  /**
   * Services by name, in place of the ones in memory: `{cache: {get: async () => 1}}`. Given to the plugin as they are, unchecked by
   * permissions.
   */
  readonly services?: Readonly<Record<string, unknown>>
  /** What `${VAR}` in the manifest's `env` is replaced by. The process's own environment is not used. Default: nothing. */
  readonly env?: Readonly<Record<string, string>>
  /** The time at which the test begins; from then on only `advance` moves it. Default: now. */
  readonly now?: Date
  /**
   * Where `getService('db')` and `job.transaction` work: the URL of a Postgres database, which is brought up to date and keeps what
   * tests write, or `embedded`: a server of this test's own, started in some two seconds. Default: none; asking for `db` is an error.
   */
  readonly database?: string
  /** Plugins that this one requires, calls or enqueues to, by name: stand-ins, or the folders of real ones. */
  readonly plugins?: Readonly<Record<string, OtherPlugin>>
  /** The URL of a running XCore that has the plugin: the test runs against it. Default: `XCORE_TEST_URL`; unset: in this process. */
  readonly url?: string
  /** Its API key. Default: `XCORE_TEST_KEY`. */
  readonly key?: string
}

/** A folder, or what each action of a stand-in does. */
export type OtherPlugin = string | Readonly<Record<string, StubHandler>>
export type StubHandler = (payload: Payload) => ActionResult | Promise<ActionResult>

export interface RequestOptions {
  /** An object or list is sent as JSON; a text or bytes as they are. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface AdvanceBy {
  readonly seconds?: number
  readonly minutes?: number
  readonly hours?: number
  readonly days?: number
}

/** A job as tests see it. */
export interface TestJob {
  readonly id: string
  readonly kind: 'action' | 'event' | 'schedule'
  readonly plugin: string
  readonly name: string
  readonly state: string
  readonly priority: number
  readonly attempt: number
  readonly maxAttempts: number
  readonly payload: unknown
  /** `{status: 'ok', …}` once succeeded. */
  readonly result: unknown
  readonly error: { readonly code: string; readonly message: string } | null
  readonly runAt: Date
}

export interface EmittedEvent {
  readonly id: string
  readonly name: string
  readonly data: unknown
  /** CloudEvents `source`. */
  readonly source: string
}

export interface Denial {
  readonly resource: string
  readonly verb: string
}

/** A loaded plugin. With `await using` it is unloaded at the end of the block. */
export interface PluginUnderTest extends AsyncDisposable {
  readonly name: string
  /** False: it runs in an XCore elsewhere. Then only `call`, `emit`, `request` and `close` work; the others throw. */
  readonly local: boolean
  /**
   * Calls an action as a caller over HTTP does and resolves with its outcome, an error result included, once everything that it set off
   * has come to rest. Attempts that fail are followed by the next one at once, with the clock moved on.
   */
  call(action: string, payload?: unknown): Promise<CallResult>
  /** Emits an event from outside; resolves with the outcome of each delivery to this plugin, as `call` does. */
  emit(name: string, data?: unknown): Promise<CallResult[]>
  /** Asks one of its routes: `request('GET', '/items/1')` is GET /plugins/NAME/items/1. */
  request(method: string, path: string, options?: RequestOptions): Promise<Response>
  /** Fires a schedule at once, whether it is due or not; resolves with its outcome. Throws XCoreError `not_found`. */
  fire(schedule: string): Promise<CallResult>
  /** Moves the clock; what becomes due on the way (schedules, retries, delayed jobs, entries of the cache) happens in order. */
  advance(by: AdvanceBy): Promise<void>
  /** Resolves when nothing runs that need not wait for the clock. */
  settled(): Promise<void>
  /** Loads the folder anew, as a hot reload does. Rejects with XCoreError why it can't be loaded; the old one goes on. */
  reload(): Promise<void>
  readonly now: Date
  /** What plugins have emitted, oldest first. */
  readonly events: readonly EmittedEvent[]
  /** All jobs so far, oldest first, deliveries and firings included. */
  readonly jobs: readonly TestJob[]
  /** What the plugin wanted and its manifest does not allow. */
  readonly denials: readonly Denial[]
  /** Log lines, parsed. */
  readonly logs: readonly Readonly<Record<string, unknown>>[]
  close(): Promise<void>
}
