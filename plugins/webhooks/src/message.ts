import { createHmac } from 'node:crypto'
import { Webhook } from 'standardwebhooks'

/** An event on its way to an endpoint, as the delivery job carries it. */
export interface Message {
  readonly id: string
  readonly name: string
  readonly source: string
  /** ISO 8601. */
  readonly time: string
  readonly data: unknown
}

/** The same at every attempt, so that receivers can drop what they have seen. */
export function webhookId(eventId: string, endpointId: string): string {
  return `msg_${eventId}_${endpointId}`
}

/** When an event was emitted: its id is a UUID v7, which begins with that. */
export function emittedAt(eventId: string): Date {
  return new Date(Number.parseInt(eventId.replaceAll('-', '').slice(0, 12), 16))
}

/** The body as Standard Webhooks recommends it: `{type, timestamp, data}`; `source` is added. */
export function bodyOf(message: Message): string {
  return JSON.stringify({ type: message.name, timestamp: message.time, source: message.source, data: message.data })
}

/** Headers of one attempt; the signature covers id, timestamp and body. `secret` is `whsec_` + base64. */
export function signedHeaders(id: string, body: string, secret: string, now: Date): Record<string, string> {
  return {
    'content-type': 'application/json',
    'user-agent': 'XCore-Webhooks/1.0',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, now, body),
  }
}

/** An endpoint's own secret, made from the plugin's: every process comes to the same, and nothing has to be stored. */
export function deriveSecret(masterSecret: string, endpointId: string): string {
  return `whsec_${createHmac('sha256', masterSecret).update(`endpoint:${endpointId}`).digest('base64')}`
}
