import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { messageOf } from '../../libs/errors/index.ts'
import type { Json } from '../../libs/event-log/json.ts'
import { CommandFailed } from './exit.ts'

/** A running api, spoken to over HTTP. */
export interface ApiClient {
  readonly url: string
  /** Throws CommandFailed when nothing listens, when the answer is a problem, or when it does not fit `schema`. */
  request<Schema extends TSchema>(schema: Schema, path: string, options?: RequestOptions): Promise<Answer<Static<Schema>>>
}

export interface RequestOptions {
  readonly method?: 'GET' | 'POST'
  readonly body?: Json
  readonly headers?: Readonly<Record<string, string>>
  /** How long the server may take to answer. Default: 30. */
  readonly timeoutSeconds?: number
  /** Statuses from 400 up whose body is wanted as it is, problems included. Default: none. */
  readonly accept?: readonly number[]
}

export interface Answer<Body> {
  readonly status: number
  readonly body: Body
}

const Problem = Type.Object({
  code: Type.String(),
  detail: Type.Optional(Type.String()),
  title: Type.Optional(Type.String()),
  errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
})

export function createApiClient(url: string, key: string | undefined): ApiClient {
  return {
    url,
    async request(schema, path, options = {}) {
      const response = await send(url, key, path, options)
      const body = await parse(response, url)
      if (isProblem(response) && !(options.accept ?? []).includes(response.status)) throw problem(response.status, body)
      if (!Value.Check(schema, body)) {
        const [first] = Value.Errors(schema, body)
        const where = first === undefined ? '' : ` (${first.instancePath || '/'}: ${first.message})`
        throw new CommandFailed(
          `${url}${path} answered ${response.status} with something else than XCore's API does${where}. Check the URL.`,
        )
      }
      return { status: response.status, body }
    },
  }
}

async function send(url: string, key: string | undefined, path: string, options: RequestOptions): Promise<Response> {
  try {
    return await fetch(new URL(path, url), {
      method: options.method ?? 'GET',
      headers: {
        accept: 'application/json',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      redirect: 'error',
      signal: AbortSignal.timeout((options.timeoutSeconds ?? 30) * 1000),
    })
  } catch (error) {
    throw unreachable(url, error)
  }
}

function unreachable(url: string, error: unknown): CommandFailed {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new CommandFailed(`${url} did not answer in time. Look at its log; \`xcore doctor\` checks the database.`, { code: 'timeout' })
  }
  const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error)
  return new CommandFailed(
    `no XCore answers at ${url} (${cause}). Start one with \`xcore start\`, or name a running one with --url or XCORE_URL.`,
    { code: 'not_ready' },
  )
}

async function parse(response: Response, url: string): Promise<unknown> {
  const text = await response.text()
  try {
    const body: unknown = JSON.parse(text)
    return body
  } catch {
    throw new CommandFailed(`${url} answered ${response.status} without JSON: is that an XCore? It said: ${text.slice(0, 200)}`)
  }
}

function isProblem(response: Response): boolean {
  return (response.headers.get('content-type') ?? '').startsWith('application/problem+json')
}

function problem(status: number, body: unknown): CommandFailed {
  if (!Value.Check(Problem, body)) return new CommandFailed(`the server answered ${status}`)
  return new CommandFailed(`${body.code} (${status}): ${body.detail ?? body.title ?? ''}`, {
    code: body.code,
    lines: (body.errors ?? []).map((error) => `${error.path || '/'}: ${error.message}`),
  })
}
