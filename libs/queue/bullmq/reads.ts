import { jobId } from '../../event-log/ids.ts'
import type { JobId, PluginName } from '../../event-log/ids.ts'
import type { QueueDepth } from '../port.ts'
import type { RedisClient } from '../../redis/client.ts'
import type { PluginQueue } from './plugin-queue.ts'
import { lowestScore, scoredPriority } from './priority.ts'

/** Reads of BullMQ's lists and sets, batched by the connection. Scores of `delayed` are milliseconds × 4096 and a counter. */
const DELAYED_SCALE = 0x1000
const dueScore = (now: number) => (now + 1) * DELAYED_SCALE - 1

export interface Look {
  /** Jobs are due and not held. */
  readonly due: boolean
  /** The mark of the data that Redis holds; null: it has none, so it is new or has lost it. */
  readonly mark: string | null
  /** BullMQ's bound on how many are held. */
  readonly bound: string | null
}

export async function look(client: RedisClient, queue: PluginQueue, now: number): Promise<Look> {
  const [waiting, prioritized, delayed, [mark = null, bound = null]] = await Promise.all([
    client.llen(queue.key('wait')),
    client.zcard(queue.key('prioritized')),
    client.zrangebyscore(queue.key('delayed'), 0, dueScore(now), 'LIMIT', 0, 1),
    client.hmget(queue.key('meta'), MARK, BOUND),
  ])
  return { due: waiting + prioritized + delayed.length > 0, mark, bound }
}

/** Where BullMQ's scripts find how many jobs of a queue may be held at once. */
export const BOUND = 'concurrency'

/** The field of BullMQ's `meta` hash that tells whether Redis still holds the data that the reconciler put there. */
export const MARK = 'xcore'

/** Another one: set when jobs were taken off to make room, so that they are put back as soon as there is some. */
export const SHED = 'xcore.shed'

export async function heldSince(client: RedisClient, queue: PluginQueue, id: JobId): Promise<Date | undefined> {
  const [position, since] = await Promise.all([client.lpos(queue.key('active'), id), client.hget(queue.key(id), 'processedOn')])
  return position === null || since === null ? undefined : new Date(Number(since))
}

/** Ids of the queue's jobs, in no order. */
export async function idsOf(client: RedisClient, queue: PluginQueue, held: boolean): Promise<JobId[]> {
  if (held) return (await client.lrange(queue.key('active'), 0, -1)).map(jobId)
  const lists = await Promise.all([
    client.lrange(queue.key('wait'), 0, -1),
    client.zrange(queue.key('prioritized'), '0', '-1'),
    client.zrange(queue.key('delayed'), '0', '-1'),
  ])
  return lists.flat().map(jobId)
}

/** How many jobs wait, due or not. */
export async function waitingCount(client: RedisClient, queue: PluginQueue): Promise<number> {
  const counts = await Promise.all([
    client.llen(queue.key('wait')),
    client.zcard(queue.key('prioritized')),
    client.zcard(queue.key('delayed')),
  ])
  return counts[0] + counts[1] + counts[2]
}

/**
 * The oldest is told by the first of each priority: within a priority, jobs are in the order in which they were added, and a job's
 * hash says when that was.
 */
export async function depthOf(client: RedisClient, queue: PluginQueue, now: number): Promise<QueueDepth> {
  const [waiting, prioritized, delayed, overdue, held] = await Promise.all([
    client.llen(queue.key('wait')),
    client.zcard(queue.key('prioritized')),
    client.zcount(queue.key('delayed'), `(${dueScore(now)}`, '+inf'),
    client.zrangebyscore(queue.key('delayed'), 0, dueScore(now), 'WITHSCORES', 'LIMIT', 0, 1),
    client.llen(queue.key('active')),
  ])
  const dueDelayed = overdue.length === 0 ? 0 : await client.zcount(queue.key('delayed'), 0, dueScore(now))
  const candidates = [await client.lindex(queue.key('wait'), -1), ...(prioritized > 0 ? await firstOfEachPriority(client, queue) : [])]
  const due = (await Promise.all(candidates.filter((id) => id !== null).map((id) => dueTime(client, queue, id)))).filter(
    (time) => time !== null,
  )
  if (overdue[1] !== undefined) due.push(Math.floor(Number(overdue[1]) / DELAYED_SCALE))
  return {
    plugin: queue.plugin,
    waiting: waiting + prioritized + dueDelayed,
    delayed,
    held,
    oldestWaitingSince: due.length === 0 ? null : new Date(Math.min(...due)),
  }
}

export function emptyDepth(plugin: PluginName): QueueDepth {
  return { plugin, waiting: 0, delayed: 0, held: 0, oldestWaitingSince: null }
}

async function firstOfEachPriority(client: RedisClient, queue: PluginQueue): Promise<string[]> {
  const found: string[] = []
  for (let from = 0; ;) {
    const [id, score] = await client.zrangebyscore(queue.key('prioritized'), from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if (id === undefined || score === undefined) return found
    found.push(id)
    from = lowestScore(scoredPriority(Number(score)) + 1)
  }
}

async function dueTime(client: RedisClient, queue: PluginQueue, id: string): Promise<number | null> {
  const [added] = await client.hmget(queue.key(id), 'timestamp')
  return added === null || added === undefined ? null : Number(added)
}
