import { sendJson, type ApiContext, type ApiScope, type Endpoint } from '../handler.ts'
import { problem, problemJson } from '../problem.ts'

export function operationEndpoints(api: ApiScope): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/livez',
      summary: 'Whether the process lives',
      scope: null,
      handle: (ctx) => sendJson(ctx, 200, { status: 'ok' }),
    },
    {
      method: 'GET',
      path: '/readyz',
      summary: 'Whether the process can serve; `?verbose` tells why',
      scope: null,
      handle: (ctx) => ready(api, ctx),
    },
    {
      method: 'GET',
      path: '/metrics',
      summary: 'Metrics in the Prometheus text format, or in OpenMetrics when the Accept header names it',
      scope: 'read',
      handle: (ctx) => metrics(api, ctx),
    },
  ]
}

async function ready(api: ApiScope, ctx: ApiContext): Promise<void> {
  const readiness = await api.readiness()
  const draining = api.stopping.aborted
  const checks =
    draining && readiness.ready
      ? [...readiness.checks, { name: 'draining', ok: false, detail: 'The process is stopping.' }]
      : readiness.checks
  const shown = new URLSearchParams(ctx.querystring).has('verbose') ? { checks } : {}
  if (readiness.ready && !draining) return sendJson(ctx, 200, { status: 'ok', ...shown })
  const failed = checks.filter((check) => !check.ok).map((check) => check.name)
  const answer = problem('not_ready', `Not ready: ${failed.join(', ') || 'starting'}. GET /readyz?verbose tells more.`)
  ctx.set('Retry-After', String(answer.retryAfterSeconds))
  sendJson(ctx, answer.status, { ...problemJson(answer), ...shown })
  ctx.set('Content-Type', 'application/problem+json')
}

async function metrics(api: ApiScope, ctx: ApiContext): Promise<void> {
  const { contentType, body } = await api.metrics.render(ctx.req.headers.accept)
  ctx.set('Content-Type', contentType)
  ctx.body = body
}
