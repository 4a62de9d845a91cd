import { XCoreError } from '../../../libs/errors/index.ts'
import { isUuid, jobId, type JobId } from '../../../libs/event-log/index.ts'
import { readJson } from '../body.ts'
import { sendJson, type ApiContext, type ApiScope, type Endpoint } from '../handler.ts'
import { jobFilter } from '../job-filter.ts'
import { jobJson } from '../job-json.ts'
import { storyJson } from '../replay-json.ts'

export function jobEndpoints(api: ApiScope): readonly Endpoint[] {
  return [
    { method: 'GET', path: '/jobs', summary: 'Lists jobs, newest first', scope: 'read', handle: (ctx) => list(api, ctx) },
    { method: 'GET', path: '/jobs/:id', summary: 'One job', scope: 'read', handle: (ctx, params) => show(api, ctx, idOf(params['id'])) },
    {
      method: 'GET',
      path: '/jobs/:id/events',
      summary: 'The history of a job and its replays from the log, oldest first, and what it caused',
      scope: 'read',
      handle: (ctx, params) => history(api, ctx, idOf(params['id'])),
    },
    {
      method: 'POST',
      path: '/jobs/:id/cancel',
      summary: 'Cancels a job that has not finished',
      scope: 'operate',
      handle: (ctx, params) => cancel(api, ctx, idOf(params['id'])),
    },
  ]
}

async function list(api: ApiScope, ctx: ApiContext): Promise<void> {
  const page = await api.engine.list(jobFilter(new URLSearchParams(ctx.querystring), api.now()))
  sendJson(ctx, 200, { jobs: page.jobs.map(jobJson), next_cursor: page.nextCursor })
}

async function show(api: ApiScope, ctx: ApiContext, id: JobId): Promise<void> {
  const job = await api.engine.get(id)
  if (job === undefined) throw noSuchJob(id)
  sendJson(ctx, 200, jobJson(job))
}

async function history(api: ApiScope, ctx: ApiContext, id: JobId): Promise<void> {
  const story = await api.replays.story(id)
  if (story === undefined) throw noSuchJob(id)
  sendJson(ctx, 200, storyJson(story))
}

async function cancel(api: ApiScope, ctx: ApiContext, id: JobId): Promise<void> {
  const reason = cancelReason(await readJson(ctx.req, api.limits.payloadBytes))
  sendJson(ctx, 200, jobJson(await api.engine.cancel(id, reason)))
}

/** The body may say why: `{"reason": "…"}`. */
function cancelReason(body: unknown): string | undefined {
  if (body === undefined) return undefined
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new XCoreError('bad_request', 'The body must be empty or an object like {"reason": "…"}.')
  }
  for (const [key, value] of Object.entries(body)) {
    if (key !== 'reason') throw new XCoreError('bad_request', `Unknown member "${key}": expected reason.`)
    if (typeof value !== 'string' || value.length > 1000)
      throw new XCoreError('bad_request', '"reason" must be a text of at most 1000 characters.')
    return value
  }
  return undefined
}

function idOf(text: string | undefined): JobId {
  const lower = (text ?? '').toLowerCase()
  if (!isUuid(lower)) throw new XCoreError('not_found', 'There is no such job: an id is a UUID, such as the one in `job_id`.')
  return jobId(lower)
}

function noSuchJob(id: JobId): XCoreError {
  return new XCoreError('not_found', `There is no job ${id}; history older than the retention is dropped.`)
}
