/** One webhook delivery, read from its headers and body. */
export interface Delivery {
  /** `X-GitHub-Delivery`: GitHub sends the same again when somebody presses "Redeliver". */
  readonly id: string
  readonly event: string
  readonly action: string | null
  /** `github.<event>` or `github.<event>.<action>`. */
  readonly name: string
  readonly payload: Readonly<Record<string, unknown>>
}

export type Reading = { readonly ok: true; readonly delivery: Delivery } | { readonly ok: false; readonly message: string }

const EVENT = /^[a-z][a-z0-9_]{0,63}$/
// The action of a repository_dispatch is free text; what does not fit is left out of the name and stays in the payload.
const ACTION = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/
const DELIVERY = /^[A-Za-z0-9_-]{1,100}$/

/** Reads a delivery; `body` is the parsed JSON. */
export function readDelivery(event: string, id: string, body: unknown): Reading {
  if (!EVENT.test(event)) return { ok: false, message: `expected the name of an event in X-GitHub-Event, found ${found(event)}` }
  if (!DELIVERY.test(id)) return { ok: false, message: `expected the delivery's id in X-GitHub-Delivery, found ${found(id)}` }
  if (!isObject(body)) {
    return { ok: false, message: 'expected a JSON object as body; set the content type of the webhook to application/json on GitHub' }
  }
  const action = typeof body.action === 'string' && ACTION.test(body.action) ? body.action : null
  const name = action === null ? `github.${event}` : `github.${event}.${action}`
  return { ok: true, delivery: { id, event, action, name, payload: body } }
}

function found(header: string): string {
  return header === '' ? 'nothing' : JSON.stringify(header.slice(0, 100))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
