import type { Issue } from '../../errors/index.ts'
import type { EventId, Job, JobId, JobKind, JobState, Json, JsonObject, LoggedEvent, PluginName, ReplayId } from '../../event-log/index.ts'
import type { FailureFilter, FailureGroup } from '../failures/failures.ts'

/** Running again what has finished: one job, one event, or all that a filter matches. */
export interface Replays {
  /**
   * A new job of the same kind, plugin and name. Throws XCoreError `not_found` (job or plugin), `job_not_finished`, `replay_unsafe`,
   * `unknown_action`, `validation_error`, `not_ready`.
   */
  job(id: JobId, request: JobReplay): Promise<ReplayedJob>
  /** New deliveries of an event. Throws `not_found`, `nothing_to_replay`. */
  event(id: EventId, request: EventReplay): Promise<ReplayedEvent>
  /** What `start` would do; changes nothing. */
  plan(request: BulkReplay): Promise<ReplayPlan>
  /** Starts a bulk replay, which one elected process carries out. Throws `replay_exists`, `nothing_to_replay`. */
  start(request: NamedReplay): Promise<Replay>
  /** Newest first. */
  list(limit: number): Promise<readonly Replay[]>
  get(id: string): Promise<Replay | undefined>
  /** Each answers the replay as it is then. Throws `not_found`, `replay_finished`. */
  pause(id: string, by: Author): Promise<Replay>
  resume(id: string, by: Author): Promise<Replay>
  cancel(id: string, by: Author): Promise<Replay>
  /** Failed and dead jobs by plugin, name, code and normalised message; most recent first. */
  failures(filter: FailureFilter): Promise<readonly FailureGroup[]>
  /** undefined: no such job. */
  story(id: JobId): Promise<JobStory | undefined>
  /** Carries out bulk replays until `signal` aborts; only one process may. */
  run(signal: AbortSignal): Promise<void>
}

export interface Author {
  /** The name of the key, or `local` where none is needed. */
  readonly actor: string
  readonly reason?: string
}

export interface JobReplay extends Author {
  /** Default: the original's. */
  readonly edited?: { readonly payload: Json }
  /** Takes jobs of an action that is marked `replay: unsafe`. */
  readonly force?: boolean
}

export interface ReplayedJob {
  readonly jobId: JobId
  readonly replayOf: JobId
  readonly root: JobId
  readonly replayId: ReplayId
}

/** `failed`: those whose last delivery failed. A subscription may be newer than the event: that is a backfill. */
export type Receivers = 'all' | 'failed' | Subscriber

export interface Subscriber {
  readonly plugin: string
  /** The subscription's id; default: every one of the plugin that fits. */
  readonly subscription?: string
}

export interface EventReplay extends Author {
  readonly to: Receivers
}

export interface ReplayedEvent {
  readonly replayId: ReplayId
  readonly jobs: readonly JobId[]
  readonly leftOut: readonly { readonly plugin: PluginName; readonly subscription: string; readonly reason: LeftOut }[]
}

/** Of jobs. Never empty; states are terminal ones. */
export interface ReplayFilter {
  readonly plugin?: string
  readonly kind?: JobKind
  readonly name?: string
  /** Default: failed and dead. */
  readonly states?: readonly JobState[]
  readonly errorCode?: string
  readonly errorFingerprint?: string
  readonly pluginVersion?: string
  readonly correlationId?: string
  readonly replayId?: string
  /** Of the request, as in `JobFilter`. */
  readonly since?: Date
  readonly until?: Date
  /** Each path of the payload must hold the value. A path is its steps: keys, or indexes as text. */
  readonly payload?: readonly { readonly path: readonly string[]; readonly equals: Json }[]
}

/** Of events. */
export interface EventFilter {
  readonly name?: string
  readonly source?: string
  readonly since?: Date
  readonly until?: Date
  readonly correlationId?: string
}

export type Selection =
  | { readonly kind: 'jobs'; readonly filter: ReplayFilter }
  | { readonly kind: 'events'; readonly filter: EventFilter; readonly to: 'all' | Subscriber }

export interface BulkReplay {
  readonly selection: Selection
  readonly edited?: { readonly payload: Json }
  readonly force?: boolean
}

export interface NamedReplay extends BulkReplay {
  readonly name: string
  readonly reason: string
  readonly actor: string
  /** Items put on the queue per second; default: as fast as it goes. */
  readonly ratePerSecond?: number
  /** 0–100; default 10, and never above the original's. */
  readonly priority?: number
  /** Stops when more than this share of its finished jobs failed (0–1); looked at from 20 finished jobs on. */
  readonly stopAtFailures?: number
}

/** Why an item is not repeated. `superseded`: a later replay of it failed or is under way. */
export type LeftOut = 'already_succeeded' | 'superseded' | 'under_way' | 'unhandled' | 'unsafe' | 'invalid'

export interface ReplayPlan {
  readonly matched: number
  /** How many of them were looked at one by one: all up to 100,000. What follows tells of these. */
  readonly checked: number
  readonly toReplay: number
  readonly byPlugin: Readonly<Record<string, number>>
  readonly byName: Readonly<Record<string, number>>
  readonly byError: Readonly<Record<string, number>>
  readonly leftOut: Readonly<Partial<Record<LeftOut, number>>>
  /** Up to 20 whose payload does not fit the present schema. */
  readonly invalid: readonly { readonly item: string; readonly plugin: string; readonly name: string; readonly issues: readonly Issue[] }[]
  /** By plugin and name. */
  readonly unhandled: readonly { readonly plugin: string; readonly name: string; readonly count: number; readonly why: string }[]
  /** Up to 10 that would be repeated, oldest first. */
  readonly sample: readonly PlannedItem[]
}

export interface PlannedItem {
  readonly item: string
  readonly kind: JobKind
  readonly plugin: string
  readonly name: string
  readonly errorCode: string | null
}

export type ReplayState = 'running' | 'paused' | 'completed' | 'cancelled' | 'stopped'

/** A bulk replay and how far it is. */
export interface Replay {
  readonly id: ReplayId
  readonly name: string
  readonly reason: string
  readonly actor: string
  readonly kind: 'jobs' | 'events'
  /** As frozen at the start. */
  readonly filter: JsonObject
  readonly receivers: JsonObject | null
  readonly state: ReplayState
  readonly ratePerSecond: number | null
  readonly priority: number
  readonly stopAtFailures: number | null
  readonly createdAt: Date
  readonly finishedAt: Date | null
  readonly progress: ReplayProgress
}

export interface ReplayProgress {
  /** Matched when it was started. */
  readonly total: number
  /** Put on the queue so far. */
  readonly enqueued: number
  /** Of these: not finished. */
  readonly queued: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  /** Looked at and not repeated, by reason. */
  readonly leftOut: Readonly<Partial<Record<LeftOut, number>>>
  /** Not looked at yet. */
  readonly remaining: number
  /** Until the last job has finished; null: not known, or over. */
  readonly etaSeconds: number | null
}

/** One job's whole story. */
export interface JobStory {
  /** Its log rows and those of its replays, oldest first. */
  readonly events: readonly LoggedEvent[]
  /** Jobs that repeat it, directly or through another replay, oldest first. */
  readonly replays: readonly Job[]
  readonly caused: readonly Caused[]
}

/** A job or event that followed, and what followed from that. */
export type Caused =
  | { readonly type: 'job'; readonly job: Job; readonly caused: readonly Caused[] }
  | { readonly type: 'event'; readonly id: string; readonly name: string; readonly source: string; readonly caused: readonly Caused[] }

export type { FailureFilter, FailureGroup } from '../failures/failures.ts'
