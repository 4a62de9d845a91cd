import { pluginName } from '../../../libs/event-log/index.ts'
import type { QueueDepth } from '../../../libs/queue/port.ts'
import { sendJson, type ApiContext, type ApiScope, type Endpoint } from '../handler.ts'
import { pluginEndpoints } from './plugins.ts'

export function adminEndpoints(api: ApiScope): readonly Endpoint[] {
  return [
    ...pluginEndpoints(api),
    {
      method: 'GET',
      path: '/admin/queues',
      summary: 'Depth and age of each plugin’s queue',
      scope: 'read',
      handle: (ctx) => queues(api, ctx),
    },
  ]
}

async function queues(api: ApiScope, ctx: ApiContext): Promise<void> {
  const now = api.now().getTime()
  const known = await api.queue.depths()
  const idle = api.host
    .statuses()
    .filter((status) => status.state === 'ready' && !known.some((depth) => depth.plugin === status.name))
    .map(({ name }): QueueDepth => ({ plugin: pluginName(name), waiting: 0, delayed: 0, held: 0, oldestWaitingSince: null }))
  const depths = [...known, ...idle].sort((a, b) => (a.plugin < b.plugin ? -1 : 1))
  sendJson(ctx, 200, { queues: depths.map((depth) => queueJson(api, depth, now)) })
}

function queueJson(api: ApiScope, depth: QueueDepth, now: number): Record<string, unknown> {
  const limit = api.host.find(depth.plugin)?.limits.rateLimit
  const since = depth.oldestWaitingSince
  return {
    plugin: depth.plugin,
    depth: depth.waiting + depth.delayed + depth.held,
    waiting: depth.waiting,
    delayed: depth.delayed,
    active: depth.held,
    oldest_waiting_seconds: since === null ? null : Math.max(0, (now - since.getTime()) / 1000),
    rate_limit: limit === undefined || limit === null ? null : { calls: limit.calls, period_seconds: limit.periodSeconds },
  }
}
