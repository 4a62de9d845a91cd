import type { Json } from '../event-log/json.ts'

/** What every schedule has. */
interface ScheduleBase {
  /** Unique in the plugin, 1 to 255 characters. May be left out for one that is added while the plugin runs: a new one is made. */
  readonly id?: string
  /**
   * Called with the plugin as `this`, with `args` and then the `JobContext`; returns and throws as an action's handler does. A schedule
   * that is added while the plugin runs needs a method of the plugin, so that other processes and a later start find it.
   */
  // A method signature lets handlers state the types of their arguments.
  readonly func: { call(...args: never[]): unknown }['call']
  /** JSON values, at most 256 KiB. Default: none. */
  readonly args?: readonly unknown[]
  /** True: a schedule of this id with another definition is replaced. Default: false, that is refused with `schedule_exists`. */
  readonly replaceExisting?: boolean
  /** What becomes of firings that were missed while no process ran or the schedule was paused. Default: `once`. */
  readonly missed?: MissedPolicy
  /** Each firing is late by a random time of up to so many seconds. Default: 0. */
  readonly jitter?: number
}

/**
 * `once`: one firing makes up for all that were missed; `skip`: those older than 60 s are dropped; `all`: each is made up for, at most
 * the latest 100.
 */
export type MissedPolicy = 'once' | 'skip' | 'all'

/** Every so often, counted from when it was first added. The parts add up to at least 0.1 s. */
export interface IntervalSchedule extends ScheduleBase {
  readonly trigger: 'interval'
  readonly seconds?: number
  readonly minutes?: number
  readonly hours?: number
  readonly days?: number
}

export interface CronSchedule extends ScheduleBase {
  readonly trigger: 'cron'
  /** 5 fields, or 6 with seconds in front. */
  readonly cron: string
  /** An IANA name such as `Europe/Stockholm`. Default: UTC. */
  readonly timezone?: string
}

export interface DateSchedule extends ScheduleBase {
  readonly trigger: 'date'
  /** A Date, or ISO 8601; a text without offset is UTC. In the past: at once (`missed: 'skip'`: not at all). */
  readonly runDate: Date | string
}

export type ScheduleDefinition = IntervalSchedule | CronSchedule | DateSchedule

/** A schedule as it stands. */
export interface ScheduledJob {
  readonly id: string
  readonly trigger: 'interval' | 'cron' | 'date'
  /** `every 300 s`, `30 2 * * * (Europe/Stockholm)`, `at 2030-01-01T00:00:00.000Z`. */
  readonly description: string
  readonly args: readonly Json[]
  readonly missed: MissedPolicy
  readonly paused: boolean
  /** null: it does not fire any more. */
  readonly nextRun: Date | null
  readonly lastRun: Date | null
}

/**
 * `getService('scheduler')`: each firing is a durable job of the plugin (kind `schedule`), fired once over all processes.
 *
 * Schedules that `onLoad` adds are made known when it has ended; those of an earlier start that it does not add are removed. Added again
 * as it is, a schedule goes on where it was. Schedules that were added later stay until they are removed or have had their date.
 */
export interface Scheduler {
  /**
   * Resolves with the schedule's id once it is stored; in `onLoad` at once.
   * Throws XCoreError `schedule_invalid`, naming the field, and `schedule_exists` (in `onLoad` that refuses the plugin).
   */
  addJob(definition: ScheduleDefinition): Promise<string>
  /** Resolves with whether there was one. Jobs that have been fired already run. */
  removeJob(id: string): Promise<boolean>
  /** No more firings until it is resumed, also over restarts. Throws XCoreError `not_found`. */
  pauseJob(id: string): Promise<void>
  /** What was missed is treated as `missed` says. Throws XCoreError `not_found`. */
  resumeJob(id: string): Promise<void>
  /** Those that are stored, by id. */
  getJobs(): Promise<ScheduledJob[]>
}
