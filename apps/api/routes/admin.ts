import { XCoreError } from '../../../libs/errors/index.ts'
import type { PluginStatus } from '../../../libs/plugin-host/port.ts'
import type { QueueDepth } from '../../../libs/queue/port.ts'
import { sendJson, type ApiContext, type ApiScope, type Endpoint } from '../handler.ts'

export function adminEndpoints(api: ApiScope): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/admin/plugins',
      summary: 'All plugins with their state and last error',
      scope: 'read',
      handle: (ctx) => sendJson(ctx, 200, { plugins: api.host.statuses().map(pluginJson) }),
    },
    {
      method: 'GET',
      path: '/admin/plugins/:name',
      summary: 'One plugin',
      scope: 'read',
      handle: (ctx, params) => plugin(api, ctx, params['name'] ?? ''),
    },
    {
      method: 'GET',
      path: '/admin/queues',
      summary: 'Depth and age of each plugin’s queue',
      scope: 'read',
      handle: (ctx) => queues(api, ctx),
    },
  ]
}

function plugin(api: ApiScope, ctx: ApiContext, name: string): void {
  const status = api.host.status(name)
  if (status === undefined) throw new XCoreError('not_found', `There is no plugin "${name}"; GET /admin/plugins lists them.`)
  sendJson(ctx, 200, pluginJson(status))
}

function pluginJson(status: PluginStatus): Record<string, unknown> {
  return {
    name: status.name,
    version: status.version,
    state: status.state,
    last_error: status.lastError,
    folder: status.folder,
    manifest: status.manifest,
    sandbox: sandboxJson(status),
    actions: status.actions,
    subscriptions: status.subscriptions,
  }
}

function sandboxJson({ sandbox }: PluginStatus): Record<string, unknown> | null {
  if (sandbox === null) return null
  const { memoryMb, lastEnd, ...others } = sandbox
  return { ...others, memory_mb: memoryMb, last_end: lastEnd }
}

async function queues(api: ApiScope, ctx: ApiContext): Promise<void> {
  const now = api.now().getTime()
  const known = await api.queue.depths()
  const empty = api.host
    .runnable()
    .flatMap(({ name }): QueueDepth[] =>
      known.some((depth) => depth.plugin === name) ? [] : [{ plugin: name, waiting: 0, delayed: 0, held: 0, oldestWaitingSince: null }],
    )
  const depths = [...known, ...empty].sort((a, b) => (a.plugin < b.plugin ? -1 : 1))
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
