import { XCoreError } from '../../../libs/errors/index.ts'
import type { Emitted } from '../../../libs/engine/port.ts'
import { readBody } from '../body.ts'
import { receiveEvents, type ReceivedEvent } from '../cloud-event.ts'
import { sendJson, type ApiContext, type ApiScope, type Endpoint } from '../handler.ts'
import { idempotencyKeyOf, traceparentOf } from '../request-headers.ts'

/** The source of events that plugins emit; nobody from outside may use it. */
const PLUGIN_SOURCE = 'xcore://plugins/'

/** `POST /events`: CloudEvents 1.0, structured, binary or a batch; the same (source, id) again is the first event. */
export function eventEndpoint(api: ApiScope): Endpoint {
  return {
    method: 'POST',
    path: '/events',
    summary: 'Emits an event, or a batch of them, given as CloudEvents 1.0',
    scope: 'emit',
    handle: (ctx) => receive(api, ctx),
  }
}

async function receive(api: ApiScope, ctx: ApiContext): Promise<void> {
  const key = idempotencyKeyOf(ctx.req.headers)
  // An event that comes with a trace of its own belongs to it, unless the request is part of one.
  const sent = traceparentOf(ctx.req.headers['traceparent']) !== undefined
  const traceOf = (event: ReceivedEvent) => (sent ? undefined : traceparentOf(event.traceparent)) ?? ctx.state.traceparent
  const received = receiveEvents(ctx.req.headers, await readBody(ctx.req, api.limits.payloadBytes))
  const events = received.batch ? received.events : [received.event]
  for (const event of events) {
    if (event.source.startsWith(PLUGIN_SOURCE)) {
      throw new XCoreError('bad_request', `The source ${PLUGIN_SOURCE}… is kept for events that plugins emit: use another one.`)
    }
  }
  const emitted = await Promise.all(
    // One key over a batch stands for one key per event: the same batch again finds each of them.
    events.map((event, index) => emit(api, event, received.batch && key !== undefined ? `${key}/${index}` : key, traceOf(event))),
  )
  const [first] = emitted
  if (first !== undefined) ctx.state.madeId = first.eventId
  if (first !== undefined && emitted.every((event) => event.replayed)) ctx.set('Idempotent-Replayed', 'true')
  const answers = emitted.map((event) => ({ event_id: event.eventId, jobs: event.jobs }))
  sendJson(ctx, 202, received.batch ? answers : (answers[0] ?? {}))
}

function emit(api: ApiScope, event: ReceivedEvent, idempotencyKey: string | undefined, traceparent: string | undefined): Promise<Emitted> {
  return api.engine.emit({
    name: event.type,
    data: event.data,
    source: event.source,
    externalId: event.id,
    ...(event.time !== undefined && { time: event.time }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(traceparent !== undefined && { traceparent }),
  })
}
