import type { MissedPolicy } from '@xcore/sdk'
import type { Json, PluginName } from '../../event-log/index.ts'
import type { Trigger } from './trigger.ts'

/** A schedule as a plugin wants it. */
export interface ScheduleRequest {
  readonly plugin: PluginName
  /** Unique in the plugin. */
  readonly id: string
  readonly trigger: Trigger
  readonly args: readonly Json[]
  readonly missed: MissedPolicy
  readonly jitterSeconds: number
  /** The plugin's method that is called; null: a function that only `onLoad` can name. */
  readonly method: string | null
  /** Of the jobs. */
  readonly priority: number
  readonly maxAttempts: number
  readonly pluginVersion: string
  /** Whether one of this id with another definition is replaced. */
  readonly replaceExisting: boolean
}

/** A schedule as it is stored. */
export interface Schedule extends Omit<ScheduleRequest, 'replaceExisting'> {
  /** Added while the plugin ran, not in its `onLoad`. */
  readonly atRunTime: boolean
  readonly paused: boolean
  readonly nextRun: Date | null
  readonly lastRun: Date | null
}

/** The schedules of all plugins, shared by all processes. */
export interface ScheduleRegistry {
  /**
   * Makes what `onLoad` added known. Equal ones go on where they were; others of the plugin are removed, except those added at run time.
   * Throws XCoreError `schedule_exists` for a changed one without `replaceExisting`; nothing is changed then.
   */
  replace(plugin: PluginName, schedules: readonly ScheduleRequest[]): Promise<void>
  /** Adds one at run time. Throws XCoreError `schedule_exists`. */
  add(schedule: ScheduleRequest): Promise<void>
  /** Whether there was one. */
  remove(plugin: string, id: string): Promise<boolean>
  /** Whether there is one. */
  setPaused(plugin: string, id: string, paused: boolean): Promise<boolean>
  /** By plugin and id. */
  list(plugin?: string): Promise<Schedule[]>
  /** Drops the schedules of one plugin that is unloaded for good. */
  forget(plugin: PluginName): Promise<void>
  /** Drops the schedules of plugins that are not in `known` (their folders are gone). Returns the dropped plugins. */
  retain(known: readonly PluginName[]): Promise<readonly PluginName[]>
}
