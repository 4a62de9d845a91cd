import type { PluginName } from '../../../event-log/index.ts'
import type { Schedule, ScheduleRegistry, ScheduleRequest } from '../port.ts'
import { plan } from '../plan.ts'
import { exists } from '../registry.ts'
import { firstRun } from '../trigger.ts'

/** One firing: what the job of it carries. */
export interface MemoryFiring {
  readonly schedule: Schedule
  readonly scheduledFor: Date
}

export interface MemorySchedules extends ScheduleRegistry {
  /** Takes what is due by the clock, and moves those schedules on. Jitter is left out. */
  due(): MemoryFiring[]
}

interface Entry {
  readonly schedule: Schedule
  /** Milliseconds since the epoch. */
  readonly anchor: number
}

/** The schedules of one process, for tests of plugins. `now` is in milliseconds since the epoch. */
export function createMemorySchedules(now: () => number): MemorySchedules {
  const entries = new Map<string, Entry>()
  const keyOf = (plugin: string, id: string) => `${plugin} ${id}`
  const sorted = () =>
    [...entries.values()].sort((a, b) => (keyOf(a.schedule.plugin, a.schedule.id) < keyOf(b.schedule.plugin, b.schedule.id) ? -1 : 1))

  function check(requests: readonly ScheduleRequest[]): void {
    for (const request of requests) {
      const known = entries.get(keyOf(request.plugin, request.id))
      if (known !== undefined && !request.replaceExisting && definitionOf(known.schedule) !== definitionOf(request)) throw exists(request)
    }
  }
  function save({ replaceExisting: _, ...request }: ScheduleRequest, atRunTime: boolean): void {
    const key = keyOf(request.plugin, request.id)
    const known = entries.get(key)
    if (known !== undefined && definitionOf(known.schedule) === definitionOf(request)) {
      const schedule = { ...known.schedule, ...request, atRunTime: known.schedule.atRunTime && atRunTime }
      entries.set(key, { ...known, schedule })
      return
    }
    const next = firstRun(request.trigger, now())
    const { paused = false, lastRun = null, atRunTime: before = true } = known?.schedule ?? {}
    const schedule = { ...request, atRunTime: before && atRunTime, paused, lastRun, nextRun: next === null ? null : new Date(next) }
    entries.set(key, { schedule, anchor: now() })
  }

  return {
    async replace(plugin, schedules) {
      check(schedules)
      for (const [key, { schedule }] of entries) {
        if (schedule.plugin === plugin && !schedule.atRunTime && !schedules.some(({ id }) => id === schedule.id)) entries.delete(key)
      }
      for (const schedule of schedules) save(schedule, false)
    },
    async add(schedule) {
      check([schedule])
      save(schedule, true)
    },
    remove: async (plugin, id) => entries.delete(keyOf(plugin, id)),
    async setPaused(plugin, id, paused) {
      const entry = entries.get(keyOf(plugin, id))
      if (entry !== undefined) entries.set(keyOf(plugin, id), { ...entry, schedule: { ...entry.schedule, paused } })
      return entry !== undefined
    },
    list: async (plugin) => sorted().flatMap(({ schedule }) => (plugin === undefined || schedule.plugin === plugin ? [schedule] : [])),
    async forget(plugin) {
      for (const [key, { schedule }] of entries) if (schedule.plugin === plugin) entries.delete(key)
    },
    async retain(known) {
      const dropped = new Set<PluginName>()
      for (const [key, { schedule }] of entries) {
        if (known.includes(schedule.plugin)) continue
        entries.delete(key)
        dropped.add(schedule.plugin)
      }
      return [...dropped]
    },
    due() {
      return sorted().flatMap((entry) => {
        const { schedule, anchor } = entry
        if (schedule.paused || schedule.nextRun === null) return []
        const { trigger, missed } = schedule
        const planned = plan({ trigger, missed, anchor, nextRun: schedule.nextRun.getTime(), now: now() })
        const moved = {
          ...schedule,
          nextRun: planned.nextRun === null ? null : new Date(planned.nextRun),
          lastRun: planned.latest === null ? schedule.lastRun : new Date(planned.latest),
        }
        if (moved.nextRun === null && moved.atRunTime) entries.delete(keyOf(schedule.plugin, schedule.id))
        else entries.set(keyOf(schedule.plugin, schedule.id), { ...entry, schedule: moved })
        return planned.fire.map((time) => ({ schedule: moved, scheduledFor: new Date(time) }))
      })
    },
  }
}

function definitionOf({ trigger, args, missed, jitterSeconds }: Pick<Schedule, 'trigger' | 'args' | 'missed' | 'jitterSeconds'>): string {
  return JSON.stringify([trigger, args, missed, jitterSeconds])
}
