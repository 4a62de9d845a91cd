import { posix } from 'node:path'
import semver from 'semver'
import { Type } from 'typebox'
import { MAX_GLOB_LENGTH, globProblem } from '../event-log/glob.ts'
import { RESOURCE_VERBS } from './manifest.ts'

// `description` is what an error message prints after "expected".

export const PLUGIN_NAME = /^[a-z][a-z0-9_-]*$/
export const ENTRY_EXTENSIONS = ['.ts', '.mts', '.js', '.mjs', '.cjs'] as const

const closed = { additionalProperties: false } as const
const DAY_SECONDS = 86_400

const Name = Type.String({
  pattern: PLUGIN_NAME.source,
  maxLength: 63,
  description: 'a name of lower-case letters, digits, _ and -, starting with a letter, at most 63 characters',
})
const Version = Type.Refine(
  Type.String({ description: 'a semantic version such as 1.0.0' }),
  (text) => /^\d/.test(text) && semver.valid(text) !== null,
)
const Range = Type.Refine(
  Type.String({ description: 'a semver range such as ">=2.0" or "^1.2.0"' }),
  (text) => text.trim() !== '' && semver.validRange(text) !== null,
)
const Text = Type.String({ maxLength: 4096, description: 'a text of at most 4096 characters' })
const Glob = Type.Refine(
  Type.String({ minLength: 1, maxLength: MAX_GLOB_LENGTH, description: `a glob such as "db.*" of at most ${MAX_GLOB_LENGTH} characters` }),
  (text) => globProblem(text) === undefined,
)
const NonEmpty = Type.String({ minLength: 1, maxLength: 512, description: 'a text of 1 to 512 characters' })
const Flag = Type.Boolean({ description: 'true or false' })

/** Whether a relative path, `/` between its parts, stays inside the folder it starts from. */
export function staysInside(path: string): boolean {
  if (path === '' || path.includes('\\') || path.includes('\0') || posix.isAbsolute(path) || /^[A-Za-z]:/.test(path)) return false
  const plain = posix.normalize(path)
  return plain !== '.' && plain !== './' && plain !== '..' && !plain.startsWith('../')
}

const EntryPoint = Type.Refine(
  Type.String({ maxLength: 512, description: `a path inside the plugin's folder that ends in ${ENTRY_EXTENSIONS.join(', ')}` }),
  (path) => staysInside(path) && ENTRY_EXTENSIONS.some((extension) => path.endsWith(extension)),
)
const InnerFile = Type.Refine(Type.String({ maxLength: 512, description: "a path inside the plugin's folder" }), staysInside)

/** `$${` stands for a plain `${`; `${NAME}` and `${NAME:-default}` for variables. */
export const ENV_REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g

const EnvValue = Type.Refine(Type.String({ description: 'a string' }), (text) => !text.replaceAll(ENV_REFERENCE, '').includes('${'))

const seconds = (max: number) =>
  Type.Number({ exclusiveMinimum: 0, maximum: max, description: `a number of seconds above 0 and at most ${max}` })
const whole = (min: number, max: number) =>
  Type.Integer({ minimum: min, maximum: max, description: `a whole number from ${min} to ${max}` })

const Timeout = seconds(43_200)
const Priority = whole(0, 100)
const Retry = Type.Refine(
  Type.Object(
    {
      max_attempts: Type.Optional(whole(1, 100)),
      backoff_seconds: Type.Optional(
        Type.Number({ minimum: 0, maximum: DAY_SECONDS, description: `a number of seconds from 0 to ${DAY_SECONDS}` }),
      ),
      max_backoff_seconds: Type.Optional(seconds(DAY_SECONDS)),
    },
    closed,
  ),
  ({ backoff_seconds: first = 0, max_backoff_seconds: cap = first }) => !(first > cap),
  () => 'expected max_backoff_seconds to be at least backoff_seconds, found less; raise it',
)

const PermissionRule = Type.Object(
  {
    resource: Glob,
    actions: Type.Optional(Type.Array(Type.Enum([...RESOURCE_VERBS]), { minItems: 1, description: 'a list of at least one verb' })),
    effect: Type.Optional(Type.Enum(['allow', 'deny'])),
  },
  closed,
)

const Action = Type.Object(
  {
    timeout_seconds: Type.Optional(Timeout),
    priority: Type.Optional(Priority),
    retry: Type.Optional(Retry),
    replay: Type.Optional(Type.Enum(['safe', 'unsafe'])),
  },
  closed,
)

/** The whole of plugin.yaml as its author writes it. */
export const ManifestSchema = Type.Object(
  {
    name: Name,
    version: Version,
    author: Type.Optional(Text),
    description: Type.Optional(Text),
    execution_mode: Type.Optional(Type.Enum(['trusted', 'sandboxed', 'legacy'])),
    framework_version: Type.Optional(Range),
    entry_point: Type.Optional(EntryPoint),
    requires: Type.Optional(
      Type.Array(
        Type.Union([Name, Type.Object({ name: Name, version: Type.Optional(Range) }, closed)], {
          description: "a plugin's name or {name, version}",
        }),
      ),
    ),
    permissions: Type.Optional(Type.Array(PermissionRule)),
    env: Type.Optional(
      Type.Record(
        Type.String({
          pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
          description: 'a variable name of letters, digits and _, not starting with a digit',
        }),
        EnvValue,
        closed,
      ),
    ),
    envconfiguration: Type.Optional(Type.Object({ inject: Type.Optional(Flag), env_file: Type.Optional(InnerFile) }, closed)),
    resources: Type.Optional(
      Type.Object(
        {
          timeout_seconds: Type.Optional(Timeout),
          max_memory_mb: Type.Optional(whole(1, 1_048_576)),
          max_disk_mb: Type.Optional(whole(1, 1_048_576)),
          rate_limit: Type.Optional(
            Type.Object({ calls: whole(1, 1_000_000_000), period_seconds: Type.Optional(seconds(30 * DAY_SECONDS)) }, closed),
          ),
        },
        closed,
      ),
    ),
    runtime: Type.Optional(
      Type.Object(
        {
          retry: Type.Optional(Retry),
          health_check: Type.Optional(
            Type.Object(
              {
                enabled: Type.Optional(Flag),
                interval_seconds: Type.Optional(seconds(DAY_SECONDS)),
                timeout_seconds: Type.Optional(seconds(3_600)),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
    ),
    filesystem: Type.Optional(
      Type.Object({ allowed_paths: Type.Optional(Type.Array(NonEmpty)), denied_paths: Type.Optional(Type.Array(NonEmpty)) }, closed),
    ),
    sandbox: Type.Optional(
      Type.Object(
        {
          prewarm: Type.Optional(Flag),
          idle_seconds: Type.Optional(seconds(DAY_SECONDS)),
          max_jobs: Type.Optional(whole(1, 1_000_000_000)),
        },
        closed,
      ),
    ),
    concurrency: Type.Optional(whole(1, 10_000)),
    total_concurrency: Type.Optional(whole(1, 10_000)),
    priority: Type.Optional(Priority),
    config: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    http: Type.Optional(Type.Object({ auth: Type.Optional(Type.Enum(['required', 'public'])) }, closed)),
    allowed_callers: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^[a-z0-9_*?\\[\\]-]+$',
          maxLength: 128,
          description: "a plugin's name, or a glob of names such as billing_*",
        }),
      ),
    ),
    actions: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$', description: 'an action name of letters, digits and _ . : -' }),
        Action,
        closed,
      ),
    ),
  },
  closed,
)

/** A manifest as its author writes it, once it fits the schema. */
export type WrittenManifest = Type.Static<typeof ManifestSchema>
