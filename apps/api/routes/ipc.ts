import { XCoreError } from '../../../libs/errors/index.ts'
import { isTerminal, type Job, type JobId, type Json, type JsonObject } from '../../../libs/event-log/index.ts'
import type { Submitted } from '../../../libs/engine/port.ts'
import { readJson } from '../body.ts'
import { sendJson, type ApiContext, type ApiScope, type Endpoint } from '../handler.ts'
import { outcomeError, outcomeJson } from '../job-json.ts'
import { statusOfError } from '../problem.ts'
import { idempotencyKeyOf, preferredWait } from '../request-headers.ts'

const MAX_DELAY_SECONDS = 366 * 86_400
const PLUGIN_NAME = /^[a-z][a-z0-9_-]{0,62}$/
// Anything readable: free-form plugins choose their own names. Control characters could not be stored.
const ACTION_NAME = /^[^\p{C}]{1,200}$/u

/** `POST /ipc/{plugin}/{action}`: an action becomes a durable job; with `Prefer: wait` its outcome is the answer. */
export function ipcEndpoint(api: ApiScope): Endpoint {
  return {
    method: 'POST',
    path: '/ipc/:plugin/:action',
    summary: 'Submits an action as a durable job; with `Prefer: wait=SECONDS` answers its outcome',
    scope: 'call',
    handle: (ctx, params) => call(api, ctx, params['plugin'] ?? '', params['action'] ?? ''),
  }
}

async function call(api: ApiScope, ctx: ApiContext, plugin: string, action: string): Promise<void> {
  if (!PLUGIN_NAME.test(plugin)) throw new XCoreError('not_found', 'There is no plugin of this name; GET /admin/plugins lists them.')
  if (!ACTION_NAME.test(action)) throw new XCoreError('unknown_action', `The plugin "${plugin}" has no such action.`)
  const headers = ctx.req.headers
  const idempotencyKey = idempotencyKeyOf(headers)
  const { traceparent } = ctx.state
  const wait = preferredWait(headers['prefer'])
  const body = callBody(await readJson(ctx.req, api.limits.payloadBytes))
  const submitted = await api.engine.submit({
    plugin,
    action,
    payload: body.payload,
    source: 'http',
    awaited: wait !== undefined && wait > 0,
    ...(body.priority !== undefined && { priority: body.priority }),
    ...(body.delaySeconds !== undefined && { delaySeconds: body.delaySeconds }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(traceparent !== undefined && { traceparent }),
  })
  ctx.state.madeId = submitted.jobId
  if (submitted.replayed) ctx.set('Idempotent-Replayed', 'true')
  if (wait !== undefined) ctx.set('Preference-Applied', `wait=${wait}`)
  const job = wait === undefined || wait === 0 ? undefined : await waitFor(api, ctx, submitted.jobId, wait)
  if (job !== undefined && isTerminal(job.state)) sendOutcome(ctx, job, action)
  else sendAccepted(ctx, submitted, plugin, action)
}

function sendAccepted(ctx: ApiContext, submitted: Submitted, plugin: string, action: string): void {
  ctx.set('Location', `/jobs/${submitted.jobId}`)
  sendJson(ctx, 202, { job_id: submitted.jobId, status: 'queued', plugin, action })
}

function sendOutcome(ctx: ApiContext, job: Job, action: string): void {
  sendJson(ctx, job.state === 'succeeded' ? 200 : statusOfError(outcomeError(job)), outcomeJson(job, action))
}

/** Stops waiting, not the job, when the caller hangs up or the process begins to stop. */
async function waitFor(api: ApiScope, ctx: ApiContext, id: JobId, seconds: number): Promise<Job | undefined> {
  const hungUp = new AbortController()
  const abort = (): void => hungUp.abort()
  ctx.res.once('close', abort)
  api.stopping.addEventListener('abort', abort, { once: true })
  if (api.stopping.aborted) abort()
  try {
    return await api.engine.wait(id, seconds * 1000, hungUp.signal)
  } finally {
    ctx.res.removeListener('close', abort)
    api.stopping.removeEventListener('abort', abort)
  }
}

interface CallBody {
  readonly payload: JsonObject
  readonly priority: number | undefined
  readonly delaySeconds: number | undefined
}

const NO_BODY: CallBody = { payload: {}, priority: undefined, delaySeconds: undefined }

/** Checks the members of the body. Throws `bad_request` with all that is wrong. */
function callBody(body: Json | undefined): CallBody {
  if (body === undefined) return NO_BODY
  if (!isObject(body)) throw new XCoreError('bad_request', `The body must be an object like {"payload": {…}}, found ${kindOf(body)}.`)
  for (const key in body) {
    if (key !== 'payload' && key !== 'priority' && key !== 'delay_seconds') {
      throw new XCoreError('bad_request', `Unknown member "${key}": expected payload, priority or delay_seconds.`, {
        issues: [{ path: `/${key}`, message: 'unknown member' }],
      })
    }
  }
  const payload = body['payload'] ?? {}
  if (!isObject(payload)) throw badMember('payload', 'an object', payload)
  const priority = body['priority']
  if (priority !== undefined && !(typeof priority === 'number' && Number.isInteger(priority) && priority >= 0 && priority <= 100)) {
    throw badMember('priority', 'an integer from 0 to 100', priority)
  }
  const delaySeconds = body['delay_seconds']
  if (delaySeconds !== undefined && !(typeof delaySeconds === 'number' && delaySeconds >= 0 && delaySeconds <= MAX_DELAY_SECONDS)) {
    throw badMember('delay_seconds', `a number from 0 to ${MAX_DELAY_SECONDS} (one year)`, delaySeconds)
  }
  return { payload, priority, delaySeconds }
}

function badMember(name: string, expected: string, found: Json): XCoreError {
  const shown = typeof found === 'number' ? String(found) : kindOf(found)
  return new XCoreError('bad_request', `"${name}" must be ${expected}, found ${shown}.`, {
    issues: [{ path: `/${name}`, message: `expected ${expected}, found ${shown}` }],
  })
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kindOf(value: Json): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`
}
