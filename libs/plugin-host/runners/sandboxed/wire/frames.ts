import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'

/**
 * Everything that is said on the wire, for both ends. What the sandbox says is checked strictly: no unknown members, every text
 * and list bounded. Types carry `t`, so that a frame is known by its first member.
 */
export const PROTOCOL = 1

const closed = { additionalProperties: false } as const
const text = (maxLength: number) => Type.String({ maxLength })
const Id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const Any = Type.Unknown()

// ---- sandbox → host

const JobErrorFrame = Type.Object(
  {
    code: Type.String({ minLength: 1, maxLength: 256 }),
    message: text(16_384),
    statusCode: Type.Optional(Type.Integer({ minimum: 400, maximum: 599 })),
    details: Type.Optional(Any),
    stack: Type.Optional(text(32_768)),
  },
  closed,
)

export const HandlerResultFrame = Type.Union([
  Type.Object({ kind: Type.Literal('ok'), result: Type.Record(Type.String(), Any) }, closed),
  Type.Object(
    {
      kind: Type.Literal('error'),
      error: JobErrorFrame,
      retryable: Type.Boolean(),
      retryAfterSeconds: Type.Optional(Type.Number({ minimum: 0 })),
    },
    closed,
  ),
  Type.Object(
    {
      kind: Type.Literal('threw'),
      error: JobErrorFrame,
      retryAfterSeconds: Type.Optional(Type.Number({ minimum: 0 })),
      final: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
])

const SubscriptionFrame = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 1024 }),
    pattern: Type.String({ minLength: 1, maxLength: 512 }),
    priority: Type.Integer({ minimum: 0, maximum: 100 }),
    once: Type.Boolean(),
  },
  closed,
)
export type SubscriptionFrame = Static<typeof SubscriptionFrame>

const ActionFrame = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 128 }),
    input: Type.Union([Type.Null(), Type.Record(Type.String(), Any)]),
    output: Type.Optional(Type.Union([Type.Null(), Type.Record(Type.String(), Any)])),
    description: Type.Optional(text(4_096)),
  },
  closed,
)

const Schema = Type.Union([Type.Null(), Type.Record(Type.String(), Any)])
/** A route that declares schemas. */
const DeclaredRouteFrame = Type.Object(
  {
    method: text(32),
    path: text(512),
    status: Type.Integer({ minimum: 200, maximum: 299 }),
    summary: Type.Optional(text(4_096)),
    ...{ params: Schema, query: Schema, body: Schema, response: Schema },
  },
  closed,
)

/** Ready to be told what to run. */
const Hello = Type.Object({ t: Type.Literal('hello'), protocol: Type.Integer() }, closed)
/** `onLoad` is over. */
const Loaded = Type.Object(
  {
    t: Type.Literal('loaded'),
    actions: Type.Array(ActionFrame, { maxItems: 1_000 }),
    freeForm: Type.Boolean(),
    routes: Type.Boolean(),
    declaredRoutes: Type.Array(DeclaredRouteFrame, { maxItems: 10_000 }),
    subscriptions: Type.Array(SubscriptionFrame, { maxItems: 1_000 }),
  },
  closed,
)
const LoadFailed = Type.Object({ t: Type.Literal('load_failed'), message: text(16_384), stack: Type.Optional(text(32_768)) }, closed)
/** How a job ended. */
const Done = Type.Object({ t: Type.Literal('done'), id: Id, result: HandlerResultFrame }, closed)
/** A route's answer; body in base64. */
const Answer = Type.Object(
  {
    t: Type.Literal('answer'),
    id: Id,
    status: Type.Integer({ minimum: 100, maximum: 599 }),
    headers: Type.Array(Type.Tuple([text(256), text(16_384)]), { maxItems: 200 }),
    body: Type.Union([Type.Null(), Type.String()]),
  },
  closed,
)
/** A route threw: what to answer, and what to log. */
const RouteFailed = Type.Object(
  {
    t: Type.Literal('route_failed'),
    id: Id,
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    expose: Type.Boolean(),
    error: JobErrorFrame,
  },
  closed,
)
/** `onUnload` is over. */
const Unloaded = Type.Object({ t: Type.Literal('unloaded'), error: Type.Union([Type.Null(), text(16_384)]) }, closed)
/** What `onReload` returned, as `toRich` makes it. */
const HandedOver = Type.Object({ t: Type.Literal('handed_over'), state: Any, error: Type.Union([Type.Null(), text(16_384)]) }, closed)
/** Asks the host for something, on behalf of the job, route or hook `for`. */
const Call = Type.Object({ t: Type.Literal('call'), id: Id, for: Id, op: text(64), args: Any }, closed)
const Log = Type.Object(
  {
    t: Type.Literal('log'),
    for: Type.Union([Type.Null(), Id]),
    level: Type.Union([
      Type.Literal('trace'),
      Type.Literal('debug'),
      Type.Literal('info'),
      Type.Literal('warn'),
      Type.Literal('error'),
      Type.Literal('fatal'),
    ]),
    message: text(8_192),
    fields: Type.Record(Type.String(), Any),
  },
  closed,
)
const Metric = Type.Object(
  {
    t: Type.Literal('metric'),
    kind: Type.Union([Type.Literal('increment'), Type.Literal('set'), Type.Literal('observe')]),
    name: Type.String({ minLength: 1, maxLength: 128 }),
    value: Type.Number(),
  },
  closed,
)
const Pong = Type.Object({ t: Type.Literal('pong'), id: Id }, closed)

/** Schemas of what the sandbox may say, by `t`. */
export const FROM_SANDBOX = {
  hello: Hello,
  loaded: Loaded,
  load_failed: LoadFailed,
  done: Done,
  answer: Answer,
  route_failed: RouteFailed,
  unloaded: Unloaded,
  handed_over: HandedOver,
  call: Call,
  log: Log,
  metric: Metric,
  pong: Pong,
} as const satisfies Record<string, TSchema>

export type FromSandbox = { readonly [T in keyof typeof FROM_SANDBOX]: Static<(typeof FROM_SANDBOX)[T]> }[keyof typeof FROM_SANDBOX]
export type CallFrame = Static<typeof Call>

// ---- host → sandbox

const Init = Type.Object({
  t: Type.Literal('init'),
  /** The call id of the load hook. */
  id: Id,
  /** Tells what the plugin declares, and runs no hook of it. */
  declareOnly: Type.Boolean(),
  plugin: Type.String(),
  version: Type.String(),
  /** URL of the plugin's bundle. */
  bundle: Type.String(),
  entryPoint: Type.String(),
  env: Type.Record(Type.String(), Type.String()),
  config: Type.Record(Type.String(), Any),
  maxAttempts: Type.Integer(),
  /** Milliseconds. */
  deadlines: Type.Object({ load: Type.Number(), unload: Type.Number(), reload: Type.Number(), hook: Type.Number() }),
  /** Names of the services that `getService` knows. */
  services: Type.Array(Type.String()),
  /** What the old instance handed over, as `toRich` makes it. */
  previousState: Any,
  /** Of the manifest; for `ctx.permissions.allows` only, the host checks by itself. */
  permissions: Type.Union([Type.Null(), Type.Array(Any)]),
  level: Type.String(),
})
const RunJob = Type.Object({
  t: Type.Literal('job'),
  id: Id,
  job: Type.Object({
    id: Type.String(),
    kind: Type.Union([Type.Literal('action'), Type.Literal('event'), Type.Literal('schedule')]),
    name: Type.String(),
    payload: Any,
    attempt: Type.Integer(),
    maxAttempts: Type.Integer(),
    priority: Type.Integer(),
    correlationId: Type.String(),
    replayOf: Type.Union([Type.Null(), Type.String()]),
    idempotencyKey: Type.Union([Type.Null(), Type.String()]),
    /** Of a schedule whose function is not known by its id. */
    method: Type.Union([Type.Null(), Type.String()]),
    event: Type.Union([
      Type.Null(),
      Type.Object({ id: Type.String(), source: Type.String(), time: Type.String(), subscription: Type.String() }),
    ]),
    /** Levels of the chain above this job. */
    depth: Type.Integer(),
  }),
  /** Milliseconds since the epoch. */
  deadline: Type.Number(),
})
const Abort = Type.Object({ t: Type.Literal('abort'), id: Id, reason: Type.String(), name: Type.String() })
const Route = Type.Object({
  t: Type.Literal('route'),
  id: Id,
  method: Type.String(),
  /** Path and query, relative to the mount. */
  url: Type.String(),
  mountPath: Type.String(),
  headers: Type.Array(Type.Tuple([Type.String(), Type.String()])),
  secure: Type.Boolean(),
  ip: Type.String(),
  /** Base64; null: none. */
  body: Type.Union([Type.Null(), Type.String()]),
  /** As parsed by the host. */
  parsed: Type.Optional(Any),
})
/** Runs `onReload`. */
const Reload = Type.Object({ t: Type.Literal('reload'), id: Id })
const Unload = Type.Object({ t: Type.Literal('unload'), id: Id })
const Ping = Type.Object({ t: Type.Literal('ping'), id: Id })
const Reply = Type.Union([
  Type.Object({ t: Type.Literal('reply'), id: Id, ok: Type.Literal(true), value: Any }),
  Type.Object({
    t: Type.Literal('reply'),
    id: Id,
    ok: Type.Literal(false),
    error: Type.Object({
      code: Type.String(),
      message: Type.String(),
      issues: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
      retryAfterSeconds: Type.Optional(Type.Number()),
      details: Type.Optional(Any),
    }),
  }),
])

/** Schemas of what the host may say, by `t`. */
export const FROM_HOST = {
  init: Init,
  job: RunJob,
  abort: Abort,
  route: Route,
  reload: Reload,
  unload: Unload,
  ping: Ping,
  reply: Reply,
} as const satisfies Record<string, TSchema>

export type FromHost = { readonly [T in keyof typeof FROM_HOST]: Static<(typeof FROM_HOST)[T]> }[keyof typeof FROM_HOST]
export type InitFrame = Static<typeof Init>
export type JobFrame = Static<typeof RunJob>
export type RouteFrame = Static<typeof Route>
export type ReplyFrame = Static<typeof Reply>
