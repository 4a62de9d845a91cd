import { INVALID_SPAN_CONTEXT, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, context, trace } from '@opentelemetry/api'
import type { Attributes, Context, SpanContext } from '@opentelemetry/api'

/** What a span tells of: a request that is served, a message that is put on a queue, or one that is worked on. */
export type TracedKind = 'server' | 'producer' | 'consumer'

export interface SpanOptions {
  readonly name: string
  readonly kind: TracedKind
  /** W3C `traceparent` of what it follows from; undefined or malformed: a new trace. */
  readonly parent: string | undefined
  readonly attributes: Attributes
}

export interface TracedSpan {
  /** W3C `traceparent` for what follows from it. Without an SDK that is `parent`, so traces of others pass through. */
  readonly traceparent: string | undefined
  /** Of a sampled trace: what an exemplar points to. */
  readonly traceId: string | undefined
  /** Runs `work` with this span as the active one, so that other instrumentations hang theirs below it. */
  run<T>(work: () => T): T
  set(attributes: Attributes): void
  name(name: string): void
  /** Once. `failure`: its error code, or any low-cardinality word. */
  end(failure?: { readonly type: string; readonly message: string }): void
}

const KINDS = { server: SpanKind.SERVER, producer: SpanKind.PRODUCER, consumer: SpanKind.CONSUMER } as const

const tracer = trace.getTracer('xcore')

/**
 * Starts a span of the globally registered OpenTelemetry SDK. With none registered nothing is recorded: measured with
 * `node bench/operations.ts`, a span then costs under half a microsecond.
 */
export function startSpan({ name, kind, parent, attributes }: SpanOptions): TracedSpan {
  const above = contextOf(parent)
  const span = tracer.startSpan(name, { kind: KINDS[kind], attributes }, above)
  const own = span.spanContext()
  const valid = own.traceId !== INVALID_SPAN_CONTEXT.traceId
  if (!valid) return UNTRACED
  const traceparent = span.isRecording() ? formatted(own) : parent
  return {
    traceparent,
    traceId: (own.traceFlags & TraceFlags.SAMPLED) === 0 ? undefined : own.traceId,
    run: (work) => context.with(trace.setSpan(context.active(), span), work),
    set: (more) => void span.setAttributes(more),
    name: (better) => void span.updateName(better),
    end(failure) {
      if (failure !== undefined) {
        span.setAttribute('error.type', failure.type)
        span.setStatus({ code: SpanStatusCode.ERROR, message: failure.message })
      }
      span.end()
    },
  }
}

const UNTRACED: TracedSpan = {
  traceparent: undefined,
  traceId: undefined,
  run: (work) => work(),
  set() {},
  name() {},
  end() {},
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/

function contextOf(traceparent: string | undefined): Context {
  if (traceparent === undefined) return ROOT_CONTEXT
  const [, , traceId, spanId, flags] = TRACEPARENT.exec(traceparent) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true })
}

function formatted({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}
