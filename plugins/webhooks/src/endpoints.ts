import { createHash } from 'node:crypto'
import type { Db, Transaction } from '@xcore/sdk'
import { checkUrl } from './address.ts'
import { deriveSecret } from './message.ts'
import { fitsPattern, patternProblem } from './pattern.ts'

/** Somebody who wants to be told of events. */
export interface Endpoint {
  readonly id: string
  readonly url: string
  /** Patterns of event names: `*` any characters, `?` one. */
  readonly events: readonly string[]
  readonly secret: string
}

/** An endpoint as it may be shown: without its secret. */
export type EndpointView = Omit<Endpoint, 'secret'>

export interface EndpointRequest {
  readonly url: string
  readonly events: readonly string[]
  /** Default: made from the URL, so that adding the same URL again replaces it. */
  readonly id?: string | undefined
  /** `whsec_` + base64 of 24 to 64 bytes. Default: derived from the plugin's secret and the endpoint's id. */
  readonly secret?: string | undefined
}

export interface NewEndpoint {
  readonly id: string
  readonly url: string
  readonly events: readonly string[]
  /** null: derived. */
  readonly secret: string | null
}

export type Refused = {
  readonly ok: false
  readonly code: 'endpoint_forbidden' | 'invalid_secret' | 'invalid_pattern' | 'too_many_endpoints'
  readonly message: string
}
export type Added = { readonly ok: true; readonly endpoint: Endpoint; readonly replaced: boolean } | Refused

export const MAX_ENDPOINTS = 1000

/** Checks what somebody asks for. Pure. */
export function checkRequest(
  request: EndpointRequest,
  allowPrivate: boolean,
): { readonly ok: true; readonly endpoint: NewEndpoint } | Refused {
  const checked = checkUrl(request.url, allowPrivate)
  if (!checked.ok) return { ok: false, code: 'endpoint_forbidden', message: checked.reason }
  if (request.secret !== undefined && !isSecret(request.secret)) {
    return { ok: false, code: 'invalid_secret', message: 'expected secret to be whsec_ followed by the base64 of 24 to 64 bytes' }
  }
  const problem = request.events.map(patternProblem).find((found) => found !== undefined)
  if (problem !== undefined) return { ok: false, code: 'invalid_pattern', message: problem }
  const events = [...new Set(request.events)]
  return { ok: true, endpoint: { id: request.id ?? idOf(checked.url), url: checked.url.href, events, secret: request.secret ?? null } }
}

interface EndpointRow {
  readonly id: string
  readonly url: string
  readonly events: readonly string[]
  readonly secret: string | null
}

const COLUMNS = 'id, url, events, secret'

/** The endpoints of all processes, in the plugin's own schema. */
export class Endpoints {
  readonly #db: Db
  readonly #masterSecret: string

  constructor(db: Db, masterSecret: string) {
    this.#db = db
    this.#masterSecret = masterSecret
  }

  /** Adds an endpoint, or replaces the one with the same id. */
  async add(endpoint: NewEndpoint): Promise<Added> {
    const saved = await save(this.#db, endpoint, false)
    if (saved !== undefined) return { ok: true, endpoint: this.#complete(endpoint), replaced: saved.replaced }
    return { ok: false, code: 'too_many_endpoints', message: `expected at most ${MAX_ENDPOINTS} endpoints; remove one first` }
  }

  /** Brings those of plugin.yaml in line with it. */
  async configure(endpoints: readonly NewEndpoint[]): Promise<void> {
    await this.#db.transaction(async (tx) => {
      await tx.query('delete from endpoints where configured and id <> all($1::text[])', [endpoints.map(({ id }) => id)])
      // In one order in every process, so that two that start at once wait for each other.
      for (const endpoint of endpoints.toSorted((a, b) => (a.id < b.id ? -1 : 1))) await save(tx, endpoint, true)
    })
  }

  async remove(id: string): Promise<boolean> {
    return (await this.#db.query('delete from endpoints where id = $1 returning id', [id])).length > 0
  }

  async find(id: string): Promise<Endpoint | undefined> {
    const [row] = await this.#db.query<EndpointRow>(`select ${COLUMNS} from endpoints where id = $1`, [id])
    return row === undefined ? undefined : this.#complete(row)
  }

  /** In the order in which they were added. */
  list(): Promise<readonly EndpointView[]> {
    return this.#db.query<EndpointView>('select id, url, events from endpoints order by nth')
  }

  /** The ids of those that ask for an event of this name, and were there when it was emitted. */
  async askingFor(name: string, emittedAt: Date): Promise<readonly string[]> {
    const endpoints = await this.#db.query<EndpointView>('select id, url, events from endpoints where added_at <= $1 order by nth', [
      emittedAt,
    ])
    return endpoints.filter(({ events }) => events.some((pattern) => fitsPattern(pattern, name))).map(({ id }) => id)
  }

  #complete({ id, url, events, secret }: EndpointRow): Endpoint {
    return { id, url, events, secret: secret ?? deriveSecret(this.#masterSecret, id) }
  }
}

/** undefined: there are too many. */
async function save(
  db: Pick<Transaction, 'query'>,
  endpoint: NewEndpoint,
  configured: boolean,
): Promise<{ replaced: boolean } | undefined> {
  const { id, url, events, secret } = endpoint
  const [saved] = await db.query<{ replaced: boolean }>(
    `insert into endpoints (id, url, events, secret, configured, added_at)
     select $1, $2, $3, $4, $5, $7
     where (select count(*) from endpoints) < $6 or exists (select from endpoints where id = $1)
     on conflict (id) do update set url = excluded.url, events = excluded.events, secret = excluded.secret, configured = excluded.configured
     returning xmax <> 0 as replaced`,
    // By the clock that the ids of events are made by, not by the database's.
    [id, url, events, secret, configured, MAX_ENDPOINTS, new Date()],
  )
  return saved
}

/** The secret that all processes share: `given`, or the one that the first of them made up. */
export async function masterSecret(db: Db, given: string, madeUp: () => string): Promise<string> {
  if (given !== '') return given
  await db.query('insert into master_secret (secret) values ($1) on conflict do nothing', [madeUp()])
  const [row] = await db.query<{ secret: string }>('select secret from master_secret')
  if (row === undefined) throw new Error('the secret that endpoints derive theirs from is gone from the table master_secret')
  return row.secret
}

export function withoutSecret({ id, url, events }: Endpoint): EndpointView {
  return { id, url, events }
}

function idOf(url: URL): string {
  return `ep_${createHash('sha256').update(url.href).digest('hex').slice(0, 16)}`
}

function isSecret(text: string): boolean {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text)) return false
  const { length } = Buffer.from(text.slice('whsec_'.length), 'base64')
  return length >= 24 && length <= 64
}
