import { createHash } from 'node:crypto'
import { checkUrl } from './address.ts'
import { deriveSecret } from './message.ts'

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

export type Added =
  | { readonly ok: true; readonly endpoint: Endpoint; readonly replaced: boolean }
  | { readonly ok: false; readonly code: 'endpoint_forbidden' | 'invalid_secret' | 'too_many_endpoints'; readonly message: string }

export const MAX_ENDPOINTS = 1000

/** The endpoints of this process. */
export class Endpoints {
  readonly #byId = new Map<string, Endpoint>()
  readonly #masterSecret: string
  readonly #allowPrivate: boolean

  constructor(masterSecret: string, allowPrivate: boolean) {
    this.#masterSecret = masterSecret
    this.#allowPrivate = allowPrivate
  }

  /** Adds an endpoint, or replaces the one with the same id. */
  add(request: EndpointRequest): Added {
    const checked = checkUrl(request.url, this.#allowPrivate)
    if (!checked.ok) return { ok: false, code: 'endpoint_forbidden', message: checked.reason }
    if (request.secret !== undefined && !isSecret(request.secret)) {
      return { ok: false, code: 'invalid_secret', message: 'expected secret to be whsec_ followed by the base64 of 24 to 64 bytes' }
    }
    const id = request.id ?? idOf(checked.url)
    const replaced = this.#byId.has(id)
    if (!replaced && this.#byId.size >= MAX_ENDPOINTS) {
      return { ok: false, code: 'too_many_endpoints', message: `expected at most ${MAX_ENDPOINTS} endpoints; remove one first` }
    }
    const secret = request.secret ?? deriveSecret(this.#masterSecret, id)
    const endpoint: Endpoint = { id, url: checked.url.href, events: [...new Set(request.events)], secret }
    this.#byId.set(id, endpoint)
    return { ok: true, endpoint, replaced }
  }

  remove(id: string): boolean {
    return this.#byId.delete(id)
  }

  find(id: string): Endpoint | undefined {
    return this.#byId.get(id)
  }

  list(): readonly EndpointView[] {
    return [...this.#byId.values()].map(withoutSecret)
  }

  /** Every pattern that at least one endpoint asks for, once. */
  patterns(): ReadonlySet<string> {
    return new Set([...this.#byId.values()].flatMap((endpoint) => endpoint.events))
  }

  /** The endpoints that ask for exactly this pattern. */
  askingFor(pattern: string): readonly Endpoint[] {
    return [...this.#byId.values()].filter((endpoint) => endpoint.events.includes(pattern))
  }
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
