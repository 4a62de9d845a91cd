import { fromRich, toRich } from '../wire/rich.ts'
import type { Schedule, ScheduleRegistry } from '../../../../services/scheduler/port.ts'
import type { Remote } from './remote.ts'

/** The schedules of this plugin, kept by the host. */
export function remoteSchedules(remote: Remote): ScheduleRegistry {
  return {
    replace: async (_plugin, schedules) =>
      void (await remote.call('schedules.replace', { schedules: schedules.map((each) => toRich(each)) })),
    add: async (schedule) => void (await remote.call('schedules.add', { schedule: toRich(schedule) })),
    remove: async (_plugin, id) => (await remote.call('schedules.remove', { id })) === true,
    setPaused: async (_plugin, id, paused) => (await remote.call('schedules.pause', { id, paused })) === true,
    async list() {
      const listed: unknown = fromRich(await remote.call('schedules.list', {}))
      return Array.isArray(listed) ? listed.filter(isSchedule) : []
    },
    forget: async () => {},
    retain: async () => [],
  }
}

// It came from the host.
function isSchedule(value: unknown): value is Schedule {
  return typeof value === 'object' && value !== null && 'id' in value
}
