import { XCoreError } from '../../../libs/errors/index.ts'
import { describeTrigger } from '../../../libs/services/scheduler/index.ts'
import type { Schedule } from '../../../libs/services/scheduler/index.ts'
import { sendJson, type ApiContext, type ApiScope, type Endpoint } from '../handler.ts'

export function scheduleEndpoints(api: ApiScope): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/admin/schedules',
      summary: 'All schedules of plugins with their next and last run; `?plugin=` picks one plugin’s',
      scope: 'read',
      handle: (ctx) => list(api, ctx),
    },
    {
      method: 'POST',
      path: '/admin/schedules/:plugin/:id/pause',
      summary: 'Stops a schedule from firing until it is resumed',
      scope: 'operate',
      handle: (ctx, params) => setPaused(api, ctx, params, true),
    },
    {
      method: 'POST',
      path: '/admin/schedules/:plugin/:id/resume',
      summary: 'Lets a paused schedule fire again; what it missed is treated as its `missed` says',
      scope: 'operate',
      handle: (ctx, params) => setPaused(api, ctx, params, false),
    },
  ]
}

async function list(api: ApiScope, ctx: ApiContext): Promise<void> {
  const query = new URLSearchParams(ctx.querystring)
  for (const name of query.keys())
    if (name !== 'plugin') throw new XCoreError('bad_request', `Unknown parameter "${name}": expected plugin.`)
  const schedules = await api.schedules.list(query.get('plugin') ?? undefined)
  sendJson(ctx, 200, { schedules: schedules.map(scheduleJson) })
}

async function setPaused(api: ApiScope, ctx: ApiContext, params: Readonly<Record<string, string>>, paused: boolean): Promise<void> {
  const { plugin = '', id = '' } = params
  const found = await api.schedules.setPaused(plugin, id, paused)
  const schedule = found ? (await api.schedules.list(plugin)).find((known) => known.id === id) : undefined
  if (schedule === undefined) {
    throw new XCoreError('not_found', `The plugin "${plugin}" has no schedule ${JSON.stringify(id)}; GET /admin/schedules lists them.`)
  }
  sendJson(ctx, 200, scheduleJson(schedule))
}

function scheduleJson(schedule: Schedule): Record<string, unknown> {
  return {
    plugin: schedule.plugin,
    id: schedule.id,
    trigger: schedule.trigger.kind,
    description: describeTrigger(schedule.trigger),
    next_run: schedule.nextRun?.toISOString() ?? null,
    last_run: schedule.lastRun?.toISOString() ?? null,
    paused: schedule.paused,
    missed: schedule.missed,
    jitter_seconds: schedule.jitterSeconds,
    args: schedule.args,
    func: schedule.method,
    plugin_version: schedule.pluginVersion,
  }
}
