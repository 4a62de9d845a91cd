import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { XCoreError } from '../../../../errors/index.ts'
import { isTerminal, jobId, pluginName } from '../../../../event-log/index.ts'
import type { Job, Json } from '../../../../event-log/index.ts'
import type { EmitRequest, Origin, SubmitRequest } from '../../../../engine/port.ts'
import type { Permissions } from '../../../permissions/permissions.ts'
import type { PluginPlatform } from '../../../port.ts'
import type { AttemptTransaction } from '../../trusted/job-transaction.ts'
import { MAX_DEPTH } from '../../../../engine/submit.ts'
import type { CallFrame, SubscriptionFrame } from '../wire/frames.ts'
import type { Work } from './end.ts'

/** What the sandboxed code runs for, as the host knows it: the sandbox is never asked. */
export interface WorkContext {
  readonly job: Job | null
  readonly traceparent: string | undefined
  readonly deadline: Date | null
  /** Of a job. */
  readonly transaction: AttemptTransaction | null
  /** Jobs that this work asked for, and so may wait for. */
  readonly submitted: Set<string>
}

export interface CallContext {
  readonly plugin: string
  readonly permissions: Permissions
  readonly platform: PluginPlatform
  readonly now: () => Date
  readonly contextOf: (work: Work) => WorkContext
  readonly subscribe: (subscription: SubscriptionFrame) => Promise<void>
  readonly unsubscribe: (id: string) => Promise<void>
}

/** One thing that sandboxed code may ask for. `args` fit the schema when `run` is called. */
export interface Operation {
  run(args: unknown, work: Work): Promise<unknown>
}

const closed = { additionalProperties: false } as const
const Name = Type.String({ minLength: 1, maxLength: 256 })

/** An operation with its arguments' schema. Throws XCoreError `bad_request` for other arguments. */
export function operation<const Args extends TSchema>(
  name: string,
  schema: Args,
  run: (args: Static<Args>, work: Work) => Promise<unknown>,
): Operation {
  const validator = Compile(schema)
  const fits = (args: unknown): args is Static<Args> => validator.Check(args)
  return {
    async run(args, work) {
      if (fits(args)) return run(args, work)
      throw new XCoreError('bad_request', `${name}: the arguments do not fit what this call takes`)
    },
  }
}

export const Submit = Type.Object(
  {
    plugin: Name,
    action: Name,
    payload: Type.Unknown(),
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
    delaySeconds: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9 })),
    runAt: Type.Optional(Type.String({ maxLength: 40 })),
    idempotencyKey: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
    awaited: Type.Optional(Type.Boolean()),
  },
  closed,
)
export const Emit = Type.Object(
  {
    name: Name,
    data: Type.Unknown(),
    delaySeconds: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9 })),
    externalId: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
  },
  closed,
)
const Wait = Type.Object({ jobId: Type.String({ maxLength: 64 }), timeoutMs: Type.Number({ minimum: 0 }) }, closed)
const Subscribe = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 1024 }),
    pattern: Type.String({ minLength: 1, maxLength: 512 }),
    priority: Type.Integer({ minimum: 0, maximum: 100 }),
    once: Type.Boolean(),
  },
  closed,
)
const Unsubscribe = Type.Object({ id: Type.String({ minLength: 1, maxLength: 1024 }) }, closed)

/** Jobs that one piece of work may have asked for and still wait for. */
const MAX_SUBMITTED = 10_000

/** Jobs, events and subscriptions, as the engine does them, under the plugin's own name. */
export function engineOperations(context: CallContext): Readonly<Record<string, Operation>> {
  const { platform, contextOf } = context
  const { engine } = platform
  return {
    submit: operation('submit', Submit, async (args, work) => {
      const { submitted: mine } = contextOf(work)
      const submitted = await engine.submit(submitRequest(context, args, work))
      if (args.awaited === true && mine.size < MAX_SUBMITTED) mine.add(submitted.jobId)
      return { jobId: submitted.jobId, state: submitted.state, replayed: submitted.replayed }
    }),
    emit: operation('emit', Emit, async (args, work) => {
      const { eventId, replayed } = await engine.emit(emitRequest(context, args, work))
      return { eventId, replayed }
    }),
    wait: operation('wait', Wait, async ({ jobId: id, timeoutMs }, work) => {
      const { submitted, deadline } = contextOf(work)
      if (!submitted.has(id))
        throw new XCoreError('permission_denied', `wait: a sandboxed plugin waits for jobs that it asked for itself, found another`)
      const left = deadline === null ? 60_000 : Math.max(0, deadline.getTime() - context.now().getTime())
      const job = await engine.wait(jobId(id), Math.min(timeoutMs, left), work.signal)
      if (job === undefined) return null
      const { state, result, error } = job
      return { id, state, result: isTerminal(state) ? result : null, error: error === null ? null : withoutStack(error) }
    }),
    subscribe: operation('events.on', Subscribe, async (subscription) => context.subscribe(subscription)),
    unsubscribe: operation('events.off', Unsubscribe, async ({ id }) => context.unsubscribe(id)),
  }
}

/** The request as the engine takes it, in the plugin's own name. Throws XCoreError `permission_denied`, `loop_detected`. */
export function submitRequest({ plugin, permissions, contextOf }: CallContext, args: Static<typeof Submit>, work: Work): SubmitRequest {
  const { payload, runAt, ...others } = args
  // Its own actions need no permission: they are its code.
  if (args.plugin !== plugin) permissions.check(`plugin:${args.plugin}`, 'execute')
  const when = runAt === undefined ? {} : { runAt: dateOf(runAt) }
  return { ...others, payload: json(payload), source: 'plugin', ...originOf(plugin, contextOf(work)), ...when }
}

/** Throws XCoreError `permission_denied`, `loop_detected`. */
export function emitRequest({ plugin, permissions, contextOf }: CallContext, args: Static<typeof Emit>, work: Work): EmitRequest {
  const { data, ...others } = args
  permissions.check(`events:${args.name}`, 'emit')
  return { ...others, data: json(data), source: `xcore://plugins/${plugin}`, ...originOf(plugin, contextOf(work)) }
}

/** Runs what a frame asks for. Throws XCoreError. */
export async function dispatch(operations: Readonly<Record<string, Operation>>, frame: CallFrame, work: Work): Promise<unknown> {
  const found = Object.hasOwn(operations, frame.op) ? operations[frame.op] : undefined
  if (found === undefined)
    throw new XCoreError('permission_denied', `a sandboxed plugin cannot ask its host for ${JSON.stringify(frame.op)}`)
  return found.run(frame.args, work)
}

function originOf(plugin: string, { job, traceparent }: WorkContext): Origin & { readonly caller: NonNullable<Origin['caller']> } {
  const depth = (job?.meta.depth ?? 0) + 1
  if (depth > MAX_DEPTH) {
    throw new XCoreError(
      'loop_detected',
      `plugin ${plugin}: expected a chain of at most ${MAX_DEPTH} events and calls, found one more (correlation id ${job?.correlationId}); plugins seem to set each other off, break the circle`,
    )
  }
  return {
    caller: pluginName(plugin),
    depth,
    ...(job === null ? {} : { correlationId: job.correlationId, causationId: job.id }),
    ...(traceparent === undefined ? {} : { traceparent }),
  }
}

function withoutStack({ stack: _stack, ...told }: NonNullable<Job['error']>): object {
  return told
}

function dateOf(text: string): Date {
  const date = new Date(text)
  if (Number.isNaN(date.getTime())) throw new XCoreError('bad_request', 'runAt: expected a date')
  return date
}

// It came out of JSON.parse.
function json(value: unknown): Json {
  if (isJson(value)) return value
  throw new XCoreError('bad_request', 'expected a JSON value, found none')
}
function isJson(value: unknown): value is Json {
  return value !== undefined
}
