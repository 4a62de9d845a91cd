import { Type } from 'typebox'
import type { Static } from 'typebox'
import { LOG_LEVELS } from '../telemetry/logger.ts'

export const SCOPES = ['call', 'emit', 'read', 'operate'] as const
export const QUEUE_DRIVERS = ['pg-boss', 'bullmq'] as const
export const REDIS_TOPOLOGIES = ['standalone', 'cluster', 'sentinel'] as const

/** How sandboxed plugins may be fenced in, weakest first. */
export const SANDBOX_RINGS = ['permission', 'uid', 'bwrap'] as const

const closed = { additionalProperties: false } as const
const Port = Type.Integer({ minimum: 0, maximum: 65_535 })
// Names, `*`, `[*]`, `[0]` and `["any name"]`: what pino can follow.
const REDACT_PATH = '^(\\*|[A-Za-z_$][\\w$]*|\\[(\\*|\\d+|"[^"]+")\\])(\\.(\\*|[A-Za-z_$][\\w$]*)|\\[(\\*|\\d+|"[^"]+")\\])*$'
// What follows the host is the number of a database.
const RedisUrl = Type.Refine(
  Type.String({ pattern: '^rediss?://.' }),
  (text) => URL.canParse(text) && /^\/?\d*$/.test(new URL(text).pathname),
)
const Path = Type.String({ minLength: 1 })

const ApiKeySetting = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]*$' }),
    scopes: Type.Array(Type.Enum([...SCOPES]), { minItems: 1, uniqueItems: true }),
    // what fits into an HTTP header, without blanks
    key: Type.String({ pattern: '^[!-~]+$' }),
  },
  closed,
)

const WorkerGroupSetting = Type.Object(
  {
    plugins: Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }),
    concurrency: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  },
  closed,
)

/** All settings once defaults, file, environment and overrides are merged; names as in xcore.yaml. */
export const SETTINGS = Type.Object(
  {
    http: Type.Object({ host: Type.String({ pattern: '^[A-Za-z0-9_.:%-]+$' }), port: Port }, closed),
    plugins: Type.Object({ dir: Path }, closed),
    data_dir: Path,
    database: Type.Object({ url: Type.Union([Type.Null(), Type.String({ pattern: '^postgres(ql)?://.' })]) }, closed),
    redis: Type.Object(
      {
        url: Type.Union([Type.Null(), RedisUrl]),
        topology: Type.Enum([...REDIS_TOPOLOGIES]),
        nodes: Type.Array(Type.String({ pattern: '^(\\[[0-9a-fA-F:]+\\]|[^:/@\\s]+):[0-9]{1,5}$' })),
        ca_file: Type.Union([Type.Null(), Path]),
        sentinel_name: Type.String({ minLength: 1 }),
        prefix: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$' }),
      },
      closed,
    ),
    queue: Type.Object({ driver: Type.Union([Type.Null(), Type.Enum([...QUEUE_DRIVERS])]) }, closed),
    worker: Type.Object(
      { groups: Type.Record(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_-]*$' }), WorkerGroupSetting, closed), metrics_port: Port },
      closed,
    ),
    auth: Type.Object({ keys: Type.Array(ApiKeySetting) }, closed),
    limits: Type.Object({ payload_bytes: Type.Integer({ minimum: 1, maximum: 64 * 1024 * 1024 }) }, closed),
    retention: Type.Object({ days: Type.Integer({ minimum: 1, maximum: 36_500 }) }, closed),
    sandbox: Type.Object({ require: Type.Enum([...SANDBOX_RINGS]) }, closed),
    log: Type.Object({ level: Type.Enum([...LOG_LEVELS]), redact: Type.Array(Type.String({ pattern: REDACT_PATH })) }, closed),
  },
  closed,
)
export type Settings = Static<typeof SETTINGS>
export type ApiKeySettings = Static<typeof ApiKeySetting>[]
