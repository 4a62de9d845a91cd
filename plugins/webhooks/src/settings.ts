import { Type } from '@xcore/sdk'
import type { Static } from '@xcore/sdk'
import { Compile } from 'typebox/compile'

const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' })
const Url = Type.String({ minLength: 1, maxLength: 2048 })
const Events = Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: 50 })

/** What an endpoint may be added with by an action. No secret: an action's payload is kept in the job's history. */
export const EndpointInput = Type.Object({ url: Url, events: Events, id: Type.Optional(Id) }, { additionalProperties: false })
export const EndpointRef = Type.Object({ id: Id }, { additionalProperties: false })
/** What a route takes: it leaves no job behind, so a secret may come along. */
export const EndpointBody = Type.Object(
  { url: Url, events: Events, id: Type.Optional(Id), secret: Type.Optional(Type.String()) },
  { additionalProperties: false },
)

const Config = Type.Object(
  {
    allow_private: Type.Optional(Type.Boolean()),
    endpoints: Type.Optional(
      Type.Array(
        Type.Object(
          { url: Url, events: Events, id: Type.Optional(Id), secret_env: Type.Optional(Type.String({ minLength: 1 })) },
          { additionalProperties: false },
        ),
      ),
    ),
  },
  { additionalProperties: false },
)
export type Config = Static<typeof Config>
const config = Compile(Config)

export interface Settings {
  readonly allowPrivate: boolean
  /** What endpoints' own secrets are derived from. Empty: one is made up, once for all processes. */
  readonly masterSecret: string
  readonly endpoints: readonly { url: string; events: readonly string[]; id: string | undefined; secret: string | undefined }[]
}

/** Reads `config` and `env` of the manifest. Throws an Error that names the key, what was expected and what was found. */
export function readSettings(rawConfig: unknown, env: Readonly<Record<string, string>>): Settings {
  if (!config.Check(rawConfig)) {
    const [first] = config.Errors(rawConfig)
    throw new Error(`plugin.yaml: config${first?.instancePath ?? ''} ${first?.message ?? 'is not as expected'}`)
  }
  return {
    allowPrivate: rawConfig.allow_private === true || env.WEBHOOKS_ALLOW_PRIVATE === 'true',
    masterSecret: env.WEBHOOKS_SECRET ?? '',
    endpoints: (rawConfig.endpoints ?? []).map(({ url, events, id, secret_env: name }) => ({
      url,
      events,
      id,
      secret: name === undefined ? undefined : secretFrom(env, name, url),
    })),
  }
}

function secretFrom(env: Readonly<Record<string, string>>, name: string, url: string): string {
  const secret = env[name]
  if (secret !== undefined && secret !== '') return secret
  throw new Error(
    `plugin.yaml: config.endpoints: the endpoint ${url} takes its secret from ${name}, which \`env\` of the manifest does not set`,
  )
}
