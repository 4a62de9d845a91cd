import { randomUUIDv7 } from 'node:crypto'

declare const brand: unique symbol

/** A UUID v7 (RFC 9562): ids sort by the time they were made. */
export type JobId = string & { readonly [brand]: 'JobId' }
export type EventId = string & { readonly [brand]: 'EventId' }
export type ReplayId = string & { readonly [brand]: 'ReplayId' }
/** Joins everything that one first request caused. */
export type CorrelationId = string & { readonly [brand]: 'CorrelationId' }
export type PluginName = string & { readonly [brand]: 'PluginName' }

/** Where new ids come from; data to the pure parts, so that tests can fix them. */
export interface Ids {
  uuid(): string
}

export const randomIds: Ids = { uuid: () => randomUUIDv7() }

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function isUuid(text: string): boolean {
  return UUID.test(text)
}

// The only places where a plain string becomes a branded one.
export function jobId(text: string): JobId {
  return text as JobId
}
export function eventId(text: string): EventId {
  return text as EventId
}
export function replayId(text: string): ReplayId {
  return text as ReplayId
}
export function correlationId(text: string): CorrelationId {
  return text as CorrelationId
}
export function pluginName(text: string): PluginName {
  return text as PluginName
}

/** The lowest UUID v7 of that millisecond: turns a bound on time into a bound on ids. */
export function lowestIdAt(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`
}

/** When a UUID v7 was made, in milliseconds since the epoch. */
export function timeOf(id: string): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}
