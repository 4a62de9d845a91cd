import { randomUUID } from 'node:crypto'
import type { PluginName } from '../../event-log/ids.ts'
import type { RedisClient } from '../../redis/client.ts'
import type { PluginQueue, TakenByToken } from './plugin-queue.ts'
import { BOUND } from './reads.ts'

/** After Redis lost its data its holders have so long to tell it what they hold, before anybody is given more. */
const HOLDERS_MS = 2_000

/** The field of BullMQ's `meta` hash that tells since when this Redis has known what is held. */
const KNOWN_SINCE = 'xcore.known'

/**
 * One concurrency over all processes. Whatever is held is in BullMQ's active list, also the jobs of a worker that was killed, until they
 * are found as lost; BullMQ's script gives out nothing while the list is as long as the bound. Two things are added here:
 *
 * - A Redis that lost its data has an empty list while jobs run. `KNOWN_SINCE` went with the data: without it, and for a while after it
 *   was set again, nothing is given out. The holders write their jobs into the list again meanwhile (restore-held.ts).
 * - Data that is lost in the middle of a claim: then the field is not what it was, and what was taken goes back.
 */
export interface Bounded {
  /** Remembers the bound with which the plugin is claimed; `undefined`: none. */
  note(plugin: PluginName, total: number | undefined): void
  isBounded(plugin: PluginName): boolean
  /** Asks for as many as the bound allows. Not `sure`: data was lost meanwhile, and what was taken must go back. */
  take(queue: PluginQueue, limit: number, total: number, ask: Ask): Promise<{ taken: readonly TakenByToken[]; sure: boolean }>
  /** Takes away a bound that the manifest has no more; `found` is what Redis has. */
  tidy(queue: PluginQueue, found: string | null): Promise<void>
}

type Ask = (limit: number) => Promise<readonly TakenByToken[]>

export function createBounded(client: RedisClient): Bounded {
  const totals = new Map<PluginName, number | undefined>()
  const metaOf = (queue: PluginQueue) => queue.key('meta')

  return {
    note: (plugin, total) => void totals.set(plugin, total),
    isBounded: (plugin) => totals.get(plugin) !== undefined,

    async take(queue, limit, total, ask) {
      const [[known = null, bound], active] = await Promise.all([
        client.hmget(metaOf(queue), KNOWN_SINCE, BOUND),
        client.llen(queue.key('active')),
      ])
      if (known === null) await client.hsetnx(metaOf(queue), KNOWN_SINCE, `${Date.now()} ${randomUUID()}`)
      const room = Math.min(limit, total - active)
      if (known === null || isFresh(known) || room <= 0) return { taken: [], sure: true }
      // Versions of the plugin that run side by side may have bounds of their own.
      if (bound !== String(total)) await client.hset(metaOf(queue), BOUND, total)
      const taken = await ask(room)
      return { taken, sure: taken.length === 0 || (await client.hget(metaOf(queue), KNOWN_SINCE)) === known }
    },

    async tidy(queue, found) {
      const unbounded = totals.has(queue.plugin) && totals.get(queue.plugin) === undefined
      if (found !== null && unbounded) await client.hdel(metaOf(queue), BOUND)
    },
  }
}

/** Clocks of the processes may differ: a time that is far off, in either direction, is long ago. */
function isFresh(known: string): boolean {
  return Math.abs(Date.now() - Number(known.split(' ')[0])) < HOLDERS_MS
}
