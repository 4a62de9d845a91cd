import { XCoreError } from '../../../libs/errors/index.ts'
import { eventId, isUuid, jobId } from '../../../libs/event-log/index.ts'
import type { Author, FailureFilter, Replay } from '../../../libs/engine/port.ts'
import { readJson } from '../body.ts'
import { sendJson, type ApiContext, type ApiScope, type Endpoint } from '../handler.ts'
import { jobFilter } from '../job-filter.ts'
import { authorOf, bulkReplayOf, eventReplayOf, jobReplayOf } from '../replay-body.ts'
import { failureJson, planJson, replayJson } from '../replay-json.ts'

/** Replays, and the failures that they are for. `/jobs/failures` must come before `/jobs/:id`. */
export function replayEndpoints(api: ApiScope): readonly Endpoint[] {
  const { replays } = api
  const changes = [
    ['pause', 'Holds a bulk replay; what is queued goes on', replays.pause],
    ['resume', 'Lets a paused bulk replay go on', replays.resume],
    ['cancel', 'Ends a bulk replay; what waits on the queue is cancelled', replays.cancel],
  ] as const
  return [
    {
      method: 'GET',
      path: '/jobs/failures',
      summary: 'Failed jobs in groups that failed alike, most recent first',
      scope: 'read',
      handle: (ctx) => failures(api, ctx),
    },
    {
      method: 'POST',
      path: '/jobs/:id/replay',
      summary: 'Runs a finished job again, as a new job',
      scope: 'operate',
      handle: (ctx, params) => replayJob(api, ctx, params['id'] ?? ''),
    },
    {
      method: 'POST',
      path: '/events/:id/replay',
      summary: 'Delivers an event again: to all its subscribers, to those that failed, or to one',
      scope: 'operate',
      handle: (ctx, params) => replayEvent(api, ctx, params['id'] ?? ''),
    },
    {
      method: 'POST',
      path: '/replays',
      summary: 'Plans (`dry_run`) or starts a replay of all jobs or events that a filter matches',
      scope: 'operate',
      handle: (ctx) => bulk(api, ctx),
    },
    { method: 'GET', path: '/replays', summary: 'Bulk replays, newest first', scope: 'read', handle: (ctx) => list(api, ctx) },
    {
      method: 'GET',
      path: '/replays/:id',
      summary: 'One bulk replay and how far it is',
      scope: 'read',
      handle: (ctx, params) => show(api, ctx, params['id'] ?? ''),
    },
    ...changes.map(([verb, summary, apply]): Endpoint => ({
      method: 'POST',
      path: `/replays/:id/${verb}`,
      summary,
      scope: 'operate',
      handle: (ctx, params) => change(api, ctx, (params['id'] ?? '').toLowerCase(), apply),
    })),
  ]
}

/** Who asks: the name of the key. Without keys everybody is on this machine. */
function actorOf(ctx: ApiContext): string {
  return ctx.state.caller ?? 'local'
}

async function replayJob(api: ApiScope, ctx: ApiContext, text: string): Promise<void> {
  const id = text.toLowerCase()
  if (!isUuid(id)) throw new XCoreError('not_found', 'There is no such job: an id is a UUID, such as the one in `job_id`.')
  const request = jobReplayOf(await readJson(ctx.req, api.limits.payloadBytes), actorOf(ctx))
  const replay = await api.replays.job(jobId(id), request)
  ctx.state.madeId = replay.jobId
  ctx.set('Location', `/jobs/${replay.jobId}`)
  sendJson(ctx, 202, { job_id: replay.jobId, replay_of: replay.replayOf, root: replay.root, replay_id: replay.replayId })
}

async function replayEvent(api: ApiScope, ctx: ApiContext, text: string): Promise<void> {
  const id = text.toLowerCase()
  if (!isUuid(id)) throw new XCoreError('not_found', 'There is no such event: an id is a UUID, such as the one in `event_id`.')
  const request = eventReplayOf(await readJson(ctx.req, api.limits.payloadBytes), actorOf(ctx))
  const { replayId, jobs, leftOut } = await api.replays.event(eventId(id), request)
  sendJson(ctx, 202, { event_id: id, replay_id: replayId, jobs, left_out: leftOut })
}

async function bulk(api: ApiScope, ctx: ApiContext): Promise<void> {
  const request = bulkReplayOf(await readJson(ctx.req, api.limits.payloadBytes), actorOf(ctx), api.now())
  if (request.dryRun) {
    return sendJson(ctx, 200, planJson(await api.replays.plan(request.plan), request.plan.selection.kind))
  }
  const replay = await api.replays.start(request.start)
  ctx.set('Location', `/replays/${replay.id}`)
  sendJson(ctx, 201, replayJson(replay))
}

async function list(api: ApiScope, ctx: ApiContext): Promise<void> {
  const { limit, ...others } = jobFilter(new URLSearchParams(ctx.querystring), api.now())
  if (Object.keys(others).length > 0) throw new XCoreError('bad_request', 'GET /replays knows one parameter: limit.')
  sendJson(ctx, 200, { replays: (await api.replays.list(limit ?? 50)).map(replayJson) })
}

async function show(api: ApiScope, ctx: ApiContext, id: string): Promise<void> {
  const replay = await api.replays.get(id.toLowerCase())
  if (replay === undefined) throw new XCoreError('not_found', `There is no bulk replay ${id}; GET /replays lists them.`)
  sendJson(ctx, 200, replayJson(replay))
}

async function change(api: ApiScope, ctx: ApiContext, id: string, apply: (id: string, by: Author) => Promise<Replay>): Promise<void> {
  const by = authorOf(await readJson(ctx.req, api.limits.payloadBytes), actorOf(ctx))
  sendJson(ctx, 200, replayJson(await apply(id, by)))
}

const FAILURE_PARAMETERS = ['plugin', 'name', 'error_code', 'since', 'until', 'limit']

async function failures(api: ApiScope, ctx: ApiContext): Promise<void> {
  const query = new URLSearchParams(ctx.querystring)
  for (const name of query.keys()) {
    if (!FAILURE_PARAMETERS.includes(name)) {
      throw new XCoreError('bad_request', `Query parameter "${name}": expected one of ${FAILURE_PARAMETERS.join(', ')}.`)
    }
  }
  const filter: FailureFilter = jobFilter(query, api.now())
  sendJson(ctx, 200, { failures: (await api.replays.failures(filter)).map(failureJson) })
}
