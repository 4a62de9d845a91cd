import { XCoreError } from '../errors/index.ts'
import { correlationId, eventId, jobId, pluginName, refusal } from '../event-log/index.ts'
import type { Ids, Json, JobMeta } from '../event-log/index.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Acceptance, EventItem, JobItem } from './acceptance.ts'
import type { Staged, StagedItem } from './plugin-transaction.ts'
import type { Transactional } from './transactional.ts'
import type { Clock } from './clock.ts'
import { fingerprint } from './fingerprint.ts'
import type { Emitted, EmitRequest, Origin, Submitted, SubmitRequest } from './port.ts'
import type { PluginDirectory, RunnablePlugin } from './plugin-port.ts'
import { tracedSend } from './job-span.ts'

/** How many events, calls and enqueues may follow from one outside request: a loop of plugins ends here. */
export const MAX_DEPTH = 32
const LONGEST_NAME = 255
const LONGEST_KEY = 512

export interface SubmitOptions {
  readonly acceptance: Acceptance
  readonly transactional: Transactional
  readonly plugins: PluginDirectory
  readonly metrics: Metrics
  readonly clock: Clock
  readonly ids: Ids
}

/** The door: refuses what is wrong before anything is written, then hands over to the batch. */
export function createSubmitter(options: SubmitOptions) {
  const { acceptance, transactional, plugins, metrics, clock, ids } = options

  /** Throws what is wrong with the request. */
  function checkedJob(request: SubmitRequest): JobItem {
    const plugin = pluginFor(plugins, request.plugin)
    checkText('an action name', request.action, LONGEST_NAME)
    if (request.idempotencyKey !== undefined) checkText('an idempotency key', request.idempotencyKey, LONGEST_KEY)
    checkCaller(request, plugin)
    checkAccepted(plugin, request.action, request.payload)
    checkDepth(request)
    checkCircle(request)
    checkPriority(request.priority)
    return jobItem(request, plugin, jobId(ids.uuid()), dueAt(request, clock.now()))
  }

  async function submit(request: SubmitRequest): Promise<Submitted> {
    return tracedSend(request.plugin, request.traceparent, async (traceparent) => {
      const item = checkedJob({ ...request, ...traced(traceparent) })
      const { plugin } = item.row
      const { id, replayed } = await acceptance.accept(item)
      if (replayed) metrics.jobsDeduplicatedTotal.inc({ plugin })
      return { id, accepted: { jobId: jobId(id), state: item.entry.runAt === null ? 'queued' : 'scheduled', replayed } }
    })
  }

  function checkedEvent(request: EmitRequest): EventItem {
    checkText('an event name', request.name, LONGEST_NAME)
    checkText('an event source', request.source, LONGEST_KEY)
    for (const key of [request.idempotencyKey, request.externalId])
      if (key !== undefined) checkText('an idempotency key or event id', key, LONGEST_KEY)
    checkJson(request.data)
    checkDepth(request)
    checkPriority(request.priority)
    return eventItem(request, eventId(ids.uuid()), clock.now())
  }

  async function emit(request: EmitRequest): Promise<Emitted> {
    return tracedSend(request.name, request.traceparent, async (traceparent) => {
      const { id, jobs, replayed } = await acceptance.accept(checkedEvent({ ...request, ...traced(traceparent) }))
      if (replayed) metrics.jobsDeduplicatedTotal.inc({ plugin: request.caller ?? '' })
      return { id, accepted: { eventId: eventId(id), jobs, replayed } }
    })
  }

  /** The same, written when a plugin's transaction commits. */
  async function stageSubmit(request: SubmitRequest, earlier: readonly StagedItem[]): Promise<Staged> {
    return transactional.stage(checkedJob(request), earlier)
  }
  async function stageEmit(request: EmitRequest, earlier: readonly StagedItem[]): Promise<Staged> {
    return transactional.stage(checkedEvent(request), earlier)
  }

  return { submit, emit, stageSubmit, stageEmit }
}

function pluginFor(plugins: PluginDirectory, name: string): RunnablePlugin {
  const plugin = plugins.find(name)
  if (plugin !== undefined) return plugin
  const refused = plugins.refusal(name)
  if (refused === undefined)
    throw new XCoreError(
      'not_found',
      `There is no plugin "${name}". GET /admin/plugins or \`xcore plugin list\` shows those that are loaded.`,
    )
  throw new XCoreError('not_ready', `The plugin "${name}" is not ready: ${refused.message}`, {
    retryAfterSeconds: 5,
    details: { reason: refused.code },
  })
}

function checkAccepted(plugin: RunnablePlugin, action: string, payload: Json): void {
  checkJson(payload)
  const acceptance = plugin.accepts(action, payload)
  if (acceptance.ok) return
  if (acceptance.reason === 'unknown') throw new XCoreError('unknown_action', `The plugin "${plugin.name}" has no action "${action}".`)
  throw new XCoreError('validation_error', `The payload does not fit the schema of ${plugin.name}.${action}.`, {
    issues: acceptance.issues,
  })
}

function checkJson(value: Json): void {
  const refused = refusal(value)
  if (refused !== undefined) throw new XCoreError('invalid_json', `The value at "${refused.path}" ${refused.reason}.`)
}

/** Plain JavaScript plugins may pass anything. */
function checkText(what: string, text: unknown, longest: number): void {
  const wrong = typeof text === 'string' ? textProblem(text, longest) : `found ${text === null ? 'null' : `a ${typeof text}`}`
  if (wrong !== undefined) throw new XCoreError('bad_request', `Expected ${what} of 1 to ${longest} characters; ${wrong}.`)
}

function textProblem(text: string, longest: number): string | undefined {
  if (text.length === 0 || text.length > longest) return `found ${text.length}`
  const refused = refusal(text)
  return refused === undefined ? undefined : `this one ${refused.reason}`
}

function checkDepth(origin: Origin): void {
  if ((origin.depth ?? 0) > MAX_DEPTH) {
    throw new XCoreError(
      'loop_detected',
      `Refused: ${MAX_DEPTH} events, calls and enqueues follow from one request already. Plugins seem to call each other in a loop.`,
    )
  }
}

function checkCaller(request: SubmitRequest, plugin: RunnablePlugin): void {
  const { caller } = request
  if (caller === undefined || caller === plugin.name || plugin.admits?.(caller) !== false) return
  throw new XCoreError(
    'permission_denied',
    `The plugin "${plugin.name}" does not let "${caller}" call it: expected one of its allowed_callers. If it is meant to, add "${caller}" to them.`,
  )
}

function checkCircle({ calls = [], plugin, action }: SubmitRequest): void {
  const called = `${plugin}/${action}`
  if (!calls.includes(called)) return
  throw new XCoreError(
    'loop_detected',
    `Refused: ${[...calls, called].join(' → ')} would wait for itself. Use enqueue or an event, which nobody waits for, or another action.`,
  )
}

function checkPriority(priority: number | undefined): void {
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 0 && priority <= 100)) {
    throw new XCoreError('bad_request', `priority: expected an integer from 0 to 100, found ${priority}.`)
  }
}

function dueAt(request: { readonly runAt?: Date; readonly delaySeconds?: number }, now: number): Date | null {
  if (request.runAt !== undefined && request.runAt.getTime() > now) return request.runAt
  return request.delaySeconds !== undefined && request.delaySeconds > 0 ? new Date(Math.round(now + request.delaySeconds * 1000)) : null
}

function traced(traceparent: string | undefined): Pick<Origin, 'traceparent'> {
  return traceparent === undefined ? {} : { traceparent }
}

function metaOf(request: Origin & Pick<SubmitRequest, 'awaited' | 'calls'>): JobMeta {
  return {
    ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
    ...(request.depth === undefined || request.depth === 0 ? {} : { depth: request.depth }),
    ...(request.caller === undefined ? {} : { caller: request.caller }),
    ...(request.calls === undefined || request.calls.length === 0 ? {} : { calls: request.calls }),
    ...(request.awaited === true ? { awaited: true as const } : {}),
  }
}

function jobItem(request: SubmitRequest, plugin: RunnablePlugin, id: ReturnType<typeof jobId>, runAt: Date | null): JobItem {
  const settings = plugin.settings('action', request.action)
  const priority = Math.max(request.priority ?? settings.priority, request.priorityFloor ?? 0)
  const meta = metaOf(request)
  const key = request.idempotencyKey
  return {
    kind: 'job',
    keys: key === undefined ? [] : [{ scope: `ipc/${plugin.name}/${request.action}`, key, fingerprint: bodyPrint(request) }],
    entry: { jobId: id, plugin: plugin.name, priority, runAt },
    row: {
      id,
      plugin: plugin.name,
      data: {
        kind: 'action',
        name: request.action,
        payload: request.payload,
        priority,
        max_attempts: settings.retry.maxAttempts,
        ...(runAt === null ? {} : { run_at: runAt.toISOString() }),
        correlation_id: request.correlationId ?? correlationId(id),
        ...(request.causationId === undefined ? {} : { causation_id: request.causationId }),
        ...(key === undefined ? {} : { idempotency_key: key }),
        plugin_version: plugin.version,
        source: request.source,
        ...(Object.keys(meta).length === 0 ? {} : { meta }),
      },
    },
  }
}

function bodyPrint(request: SubmitRequest): string {
  return fingerprint([request.payload, request.priority ?? null, request.delaySeconds ?? null, request.runAt?.toISOString() ?? null])
}

function eventItem(request: EmitRequest, id: ReturnType<typeof eventId>, now: number): EventItem {
  const { idempotencyKey, externalId } = request
  return {
    kind: 'event',
    keys: [
      ...(idempotencyKey === undefined
        ? []
        : [
            {
              scope: 'events',
              key: idempotencyKey,
              fingerprint: fingerprint([request.name, request.source, externalId ?? null, request.data]),
            },
          ]),
      // The same source and id is the same event (CloudEvents 1.0), whatever else differs.
      ...(externalId === undefined ? [] : [{ scope: `event-ids/${request.source}`, key: externalId, fingerprint: '' }]),
    ],
    row: {
      id,
      plugin: request.caller === undefined ? null : pluginName(request.caller),
      data: {
        name: request.name,
        source: request.source,
        time: (request.time ?? new Date(now)).toISOString(),
        data: request.data,
        ...(externalId === undefined ? {} : { external_id: externalId }),
        correlation_id: request.correlationId ?? correlationId(id),
        ...(request.causationId === undefined ? {} : { causation_id: request.causationId }),
      },
    },
    runAt: dueAt(request, now),
    priority: request.priority,
    meta: metaOf(request),
  }
}
