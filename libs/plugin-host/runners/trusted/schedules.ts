import type { ScheduledJob, Scheduler, ScheduleDefinition } from '@xcore/sdk'
import { XCoreError, messageOf } from '../../../errors/index.ts'
import { randomIds, type Job, type PluginName } from '../../../event-log/index.ts'
import { describeTrigger, scheduleRequest } from '../../../services/scheduler/index.ts'
import type { Schedule, ScheduleRegistry, ScheduleRequest } from '../../../services/scheduler/index.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import { isFunction, type PluginFunction } from '../../narrowing.ts'
import { outside } from './running.ts'

export interface SchedulesOptions {
  readonly plugin: PluginName
  readonly version: string
  /** Of the jobs. */
  readonly priority: number
  readonly maxAttempts: number
  /** Whose methods are called. */
  readonly instance: object
  readonly registry: ScheduleRegistry
  readonly logger: Logger
  readonly now: () => Date
}

/**
 * A plugin's `getService('scheduler')`. Until `publish`, schedules are only collected; afterwards each change is stored at once. Which
 * function a schedule calls is known here: by its id when this instance added it, else by the name of the method that was stored.
 */
export class TrustedSchedules implements Scheduler {
  readonly #options: SchedulesOptions
  readonly #functions = new Map<string, PluginFunction>()
  readonly #collected = new Map<string, ScheduleRequest>()
  #phase: 'collecting' | 'published' | 'closed' = 'collecting'

  constructor(options: SchedulesOptions) {
    this.#options = options
  }

  /** Makes everything that `onLoad` added known. Rejects with XCoreError `schedule_exists`. */
  async publish(): Promise<void> {
    this.#phase = 'published'
    await this.#options.registry.replace(this.#options.plugin, [...this.#collected.values()])
  }

  /** The plugin is gone, or another instance took its place. What is stored goes on: it is the plugin's, not the instance's. */
  close(): void {
    this.#phase = 'closed'
  }

  /** What a job of kind `schedule` calls; undefined: the plugin has it no more. */
  functionOf(job: Pick<Job, 'name' | 'meta'>): PluginFunction | undefined {
    const known = this.#functions.get(job.name)
    const method = job.meta.schedule?.method
    return known ?? (method === undefined ? undefined : this.#method(method))
  }

  // Not async: a definition that is wrong throws where it is written, also when nobody awaits the answer.
  addJob(definition: ScheduleDefinition): Promise<string> {
    const { plugin, version, priority, maxAttempts, now } = this.#options
    this.#open('addJob')
    const { request, func } = scheduleRequest(definition, {
      plugin,
      pluginVersion: version,
      priority,
      maxAttempts,
      atRunTime: this.#phase === 'published',
      now: now().getTime(),
      methodOf: (found) => this.#nameOf(found),
      newId: () => randomIds.uuid(),
    })
    if (this.#phase === 'published') return this.#store(request, func)
    if (this.#collected.has(request.id) && !request.replaceExisting) {
      throw new XCoreError(
        'schedule_exists',
        `scheduler.addJob: onLoad of plugin ${plugin} adds the schedule ${JSON.stringify(request.id)} twice; give each its own id, or add replaceExisting: true`,
      )
    }
    this.#collected.set(request.id, request)
    this.#functions.set(request.id, func)
    return Promise.resolve(request.id)
  }

  async removeJob(id: string): Promise<boolean> {
    const { plugin, registry } = this.#options
    this.#open('removeJob')
    this.#functions.delete(id)
    const collected = this.#collected.delete(id)
    return (await outside(() => registry.remove(plugin, String(id)))) || collected
  }

  pauseJob(id: string): Promise<void> {
    return this.#setPaused('pauseJob', id, true)
  }

  resumeJob(id: string): Promise<void> {
    return this.#setPaused('resumeJob', id, false)
  }

  async getJobs(): Promise<ScheduledJob[]> {
    const { plugin, registry } = this.#options
    return (await outside(() => registry.list(plugin))).map(shown)
  }

  #store(request: ScheduleRequest, func: PluginFunction): Promise<string> {
    const { registry, logger } = this.#options
    const stored = outside(() => registry.add(request)).then(() => {
      this.#functions.set(request.id, func)
      return request.id
    })
    // A caller need not await what comes of it, so a failure is logged as well.
    stored.catch((err: unknown) => logger.error({ err, schedule: request.id }, `a schedule could not be added: ${messageOf(err)}`))
    return stored
  }

  async #setPaused(method: string, id: string, paused: boolean): Promise<void> {
    const { plugin, registry } = this.#options
    this.#open(method)
    if (await outside(() => registry.setPaused(plugin, String(id), paused))) return
    throw new XCoreError(
      'not_found',
      `scheduler.${method}: plugin ${plugin} has no schedule ${JSON.stringify(id)}; getJobs() lists them (those of onLoad are there once it has ended)`,
    )
  }

  #open(method: string): void {
    if (this.#phase !== 'closed') return
    throw new XCoreError(
      'not_ready',
      `scheduler.${method}: this instance of plugin ${this.#options.plugin} is unloaded; add schedules in onLoad`,
    )
  }

  #nameOf(func: PluginFunction): string | null {
    const bound = /^bound (.+)$/.exec(func.name)?.[1]
    // What a bound function is bound to can't be seen: its name must do.
    if (bound !== undefined && this.#method(bound) !== undefined) return bound
    return this.#method(func.name) === func ? func.name : null
  }

  #method(name: string): PluginFunction | undefined {
    const found: unknown = name === '' || name === 'constructor' ? undefined : Reflect.get(this.#options.instance, name)
    return isFunction(found) ? found : undefined
  }
}

function shown(schedule: Schedule): ScheduledJob {
  const { id, trigger, args, missed, paused, nextRun, lastRun } = schedule
  return { id, trigger: trigger.kind, description: describeTrigger(trigger), args, missed, paused, nextRun, lastRun }
}
