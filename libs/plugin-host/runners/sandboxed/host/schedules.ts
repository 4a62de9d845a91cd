import { Type } from 'typebox'
import type { Static } from 'typebox'
import type { Manifest } from '../../../../manifest/manifest.ts'
import { scheduleRequest } from '../../../../services/scheduler/index.ts'
import type { ScheduleRegistry, ScheduleRequest } from '../../../../services/scheduler/index.ts'
import { XCoreError } from '../../../../errors/index.ts'
import type { Permissions } from '../../../permissions/permissions.ts'
import { toRich } from '../wire/rich.ts'
import { operation } from './calls.ts'
import type { Operation } from './calls.ts'

export interface ScheduleContext {
  readonly manifest: Manifest
  readonly permissions: Permissions
  readonly registry: ScheduleRegistry
  /** Called with what `onLoad` added. */
  readonly collect: (schedules: readonly ScheduleRequest[]) => Promise<void>
  readonly now: () => Date
}

const Id = Type.String({ minLength: 1, maxLength: 255 })
/** Checked in full below, by the same reader that trusted plugins go through. */
const Told = Type.Object({
  id: Id,
  trigger: Type.Record(Type.String(), Type.Unknown()),
  args: Type.Unknown(),
  missed: Type.Unknown(),
  jitterSeconds: Type.Unknown(),
  method: Type.Union([Type.Null(), Type.String({ minLength: 1, maxLength: 256 })]),
  replaceExisting: Type.Unknown(),
})
const MAX_SCHEDULES = 1_000

/** `getService('scheduler')` of a sandboxed plugin: its definitions are read again here, and are its own. */
export function scheduleOperations(context: ScheduleContext): Readonly<Record<string, Operation>> {
  const { manifest, permissions, registry } = context
  const allowed = () => permissions.check('service:scheduler', 'execute')
  const read = (told: Static<typeof Told>, atRunTime: boolean) => requestOf(told, context, atRunTime)
  return {
    'schedules.replace': operation(
      'scheduler',
      Type.Object({ schedules: Type.Array(Told, { maxItems: MAX_SCHEDULES }) }),
      async ({ schedules }) => {
        if (schedules.length > 0) allowed()
        await context.collect(schedules.map((told) => read(told, false)))
      },
    ),
    'schedules.add': operation('scheduler.addJob', Type.Object({ schedule: Told }), async ({ schedule }) => {
      allowed()
      if ((await registry.list(manifest.name)).length >= MAX_SCHEDULES) {
        throw new XCoreError(
          'schedule_invalid',
          `scheduler.addJob: expected at most ${MAX_SCHEDULES} schedules of a plugin, found one more`,
        )
      }
      await registry.add(read(schedule, true))
    }),
    'schedules.remove': operation('scheduler.removeJob', Type.Object({ id: Id }), async ({ id }) => {
      allowed()
      return registry.remove(manifest.name, id)
    }),
    'schedules.pause': operation('scheduler.pauseJob', Type.Object({ id: Id, paused: Type.Boolean() }), async ({ id, paused }) => {
      allowed()
      return registry.setPaused(manifest.name, id, paused)
    }),
    'schedules.list': operation('scheduler.getJobs', Type.Object({}), async () => {
      allowed()
      return toRich(await registry.list(manifest.name))
    }),
  }
}

function requestOf(told: Static<typeof Told>, { manifest, now }: ScheduleContext, atRunTime: boolean): ScheduleRequest {
  const { kind, every_ms: everyMs, cron, timezone, at } = told.trigger
  const when =
    kind === 'interval'
      ? { seconds: typeof everyMs === 'number' ? everyMs / 1000 : NaN }
      : kind === 'cron'
        ? { cron, timezone }
        : { runDate: at }
  const definition = {
    ...{ id: told.id, trigger: kind, ...when },
    ...{ args: told.args, missed: told.missed, jitter: told.jitterSeconds, replaceExisting: told.replaceExisting },
    func: () => undefined,
  }
  const { request } = scheduleRequest(definition, {
    plugin: manifest.name,
    pluginVersion: manifest.version,
    priority: manifest.priority,
    maxAttempts: manifest.runtime.retry.maxAttempts,
    atRunTime,
    now: now().getTime(),
    methodOf: () => told.method,
    newId: () => told.id,
  })
  return request
}
