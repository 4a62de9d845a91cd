import type { HandlerResult, Invocation } from '../../engine/plugin-port.ts'
import type { Json, JsonObject } from '../../event-log/index.ts'
import { isRecord } from '../narrowing.ts'
import type { Around } from '../plugin-record.ts'
import { MAX_RESULT_BYTES, refused, returned, threw } from '../runners/trusted/outcome.ts'
import { toJson } from '../to-json.ts'
import type { Hook, HookCall } from './hook.ts'

/**
 * Lets interceptors stand around the actions that run in this process. `before`: in order, each may change the payload for those after it
 * and for the handler, or refuse; then nothing further runs. `after`: each sees the result as those before it left it, and may put
 * another in its place. One that throws or hangs ends the attempt as a handler that throws does: it is tried again.
 */
export function createAround(hooks: () => readonly Hook[]): Around {
  return async (invocation, run) => {
    const { job } = invocation
    if (job.kind !== 'action') return run(invocation)
    const known = hooks()
    // Nearly always: no hook costs nothing.
    if (known.length === 0) return run(invocation)
    const fitting = known.filter((hook) => hook.fits(job.plugin, job.name)).toSorted((a, b) => a.priority - b.priority)
    if (fitting.length === 0) return run(invocation)
    const entered = await before(fitting, invocation)
    if (!entered.ok) return entered.result
    const result = await run(entered.invocation)
    return after(fitting, entered.invocation, result)
  }
}

type Entered = { readonly ok: true; readonly invocation: Invocation } | { readonly ok: false; readonly result: HandlerResult }

async function before(hooks: readonly Hook[], invocation: Invocation): Promise<Entered> {
  let current = invocation
  for (const hook of hooks) {
    if (hook.phase !== 'before') continue
    let answer: unknown
    try {
      answer = await hook.call(callOf(current), current)
    } catch (thrown) {
      return { ok: false, result: threw(thrown) }
    }
    if (answer === undefined || answer === null) continue
    if (isRecord(answer) && answer['status'] === 'error') return { ok: false, result: returned(answer) }
    const payload = isRecord(answer) ? payloadOf(answer['payload']) : undefined
    if (payload === undefined) {
      const told = `hook of plugin ${hook.owner}: expected nothing, {payload: {…}} of JSON values or error(…) from before, found something else`
      return { ok: false, result: refused('invalid_result', told) }
    }
    current = { ...current, job: { ...current.job, payload } }
  }
  return { ok: true, invocation: current }
}

async function after(hooks: readonly Hook[], invocation: Invocation, first: HandlerResult): Promise<HandlerResult> {
  let result = first
  for (const hook of hooks) {
    // A throw has no result; the attempt is tried again.
    if (hook.phase !== 'after' || result.kind === 'threw' || result.kind === 'interrupted') continue
    let next: HandlerResult
    try {
      const answer = await hook.call({ ...callOf(invocation), result: resultOf(result) }, invocation)
      if (answer === undefined || answer === null) continue
      next = returned(answer)
    } catch (thrown) {
      next = threw(thrown)
    }
    result = await kept(result, next)
  }
  return result
}

/** The handler's open transaction stays with the result, or ends with it. */
async function kept(from: HandlerResult, to: HandlerResult): Promise<HandlerResult> {
  if (from.kind !== 'ok' && from.kind !== 'error') return to
  const { transaction } = from
  if (transaction === undefined) return to
  if (to.kind === from.kind) return { ...to, transaction }
  await transaction.rollback()
  return to
}

function callOf({ job, deadline, signal }: Invocation): HookCall {
  const { id, attempt, maxAttempts, priority, replayOf, correlationId } = job
  return {
    plugin: job.plugin,
    action: job.name,
    // A copy: what a hook changes in place must not reach the handler past this function.
    payload: structuredClone(job.payload),
    job: { id, attempt, maxAttempts, priority, replayOf, correlationId, deadline, signal },
  }
}

function payloadOf(value: unknown): JsonObject | undefined {
  if (!isRecord(value)) return undefined
  const converted = toJson(value, { name: 'payload', maxBytes: MAX_RESULT_BYTES })
  return converted.ok && isObject(converted.json) ? converted.json : undefined
}

function isObject(json: Json): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function resultOf(result: Exclude<HandlerResult, { kind: 'threw' }>): Json {
  if (result.kind === 'ok') return structuredClone(result.result)
  const { code, message, statusCode, details } = result.error
  return {
    status: 'error',
    msg: message,
    code,
    ...(statusCode === undefined ? {} : { status_code: statusCode }),
    ...(details === undefined ? {} : { details }),
  }
}
