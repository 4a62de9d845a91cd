import { Job, Queue, QueueKeys, RedisQueueBackend } from 'bullmq'
import type { RedisConnection } from 'bullmq'
import { jobId, timeOf } from '../../event-log/ids.ts'
import type { JobId, PluginName } from '../../event-log/ids.ts'
import { LARGEST_BATCH, keyCount, many } from './batch-scripts.ts'
import { bullPriority, ownPriority, restoredScore } from './priority.ts'
import type { RedisClient } from '../../redis/client.ts'

/** A job to be put on the queue. `attempts`: how many of its attempts had ended by then. */
export interface Pointer {
  readonly jobId: JobId
  readonly priority: number
  /** Milliseconds since the epoch; null: due at once. */
  readonly runAt: number | null
  readonly attempts: number
}

/** A held job that goes back on the queue. */
export interface PutBack {
  readonly token: string
  readonly pointer: Pointer
}

/** What BullMQ handed out. */
export interface Taken {
  readonly jobId: JobId
  readonly priority: number
  /** As it was put on the queue. */
  readonly attempts: number
  /** How often a holder went silent since then. */
  readonly stalls: number
}

/** A job that this process holds, and the token by which Redis knows that. */
export interface HeldByToken {
  readonly jobId: JobId
  readonly token: string
}

export interface TakenByToken extends Taken {
  readonly token: string
}

export interface PluginQueueOptions {
  readonly plugin: PluginName
  readonly prefix: string
  readonly client: RedisClient
  readonly connection: RedisConnection
  readonly lockMs: number
  readonly stalledCheckMs: number
}

/** BullMQ's events are read by nobody here: a short stream spares a megabyte a queue. */
const EVENTS_KEPT = 100
/** We decide about lost attempts, so BullMQ never fails a job by itself. */
const MAX_STALLS = 1_000_000_000

/**
 * BullMQ's own scripts for the queue of one plugin, over a connection that all queues share. The braces put all keys of a plugin
 * into one slot of a Redis Cluster, and spread the plugins over its nodes.
 */
export class PluginQueue {
  readonly plugin: PluginName
  readonly #client: RedisClient
  readonly #scripts: Scripts

  constructor(options: PluginQueueOptions) {
    this.plugin = options.plugin
    this.#client = options.client
    this.#scripts = new Scripts(options)
  }

  key(type: string): string {
    return this.#scripts.toKey(type)
  }

  /** The settings that BullMQ keeps in Redis, and the mark by which a Redis that lost its data is told. */
  async declare(): Promise<void> {
    // Read first: a Redis without memory refuses to write what is there already.
    const known = await this.#client.hget(this.key('meta'), 'opts.maxLenEvents')
    if (known !== String(EVENTS_KEPT)) await this.#client.hset(this.key('meta'), 'opts.maxLenEvents', EVENTS_KEPT)
  }

  /** Adds those that are not on the queue yet, in order. */
  async add(pointers: readonly Pointer[]): Promise<void> {
    if (pointers.length === 0) return
    const now = Date.now()
    await Promise.all(batches(pointers).map((batch) => this.#scripts.add(batch.map((pointer) => jobOf(pointer, now)))))
  }

  /** The same for jobs that Redis has lost: they come before those added since, in the order of their requests. */
  async restore(pointers: readonly Pointer[]): Promise<void> {
    await this.add(pointers)
    const scores = pointers.flatMap(({ jobId: id, priority }) => [restoredScore(priority, timeOf(id)), id])
    // Those that wait; delayed ones have their place by time.
    if (scores.length > 0) await this.#client.zadd(this.key('prioritized'), 'XX', ...scores)
  }

  /** Takes the next due jobs, at most `limit`, which is at most `LARGEST_BATCH`. */
  async take(token: string, limit: number): Promise<TakenByToken[]> {
    return (await this.#scripts.take(token, limit)).map((taken) => ({ ...taken, token }))
  }

  /** Takes held jobs off the queue. Returns those that were not held: the lock had run out, or the job had been taken off. */
  async finish(held: readonly HeldByToken[]): Promise<JobId[]> {
    return (await Promise.all(batches(held).map((batch) => this.#scripts.finish(batch)))).flat()
  }

  /** Puts held jobs back in one transaction each, so that no crash loses one. Those that are not held any more stay as they are. */
  async putBack(jobs: readonly PutBack[]): Promise<void> {
    const now = Date.now()
    await Promise.all(jobs.map(({ token, pointer }) => this.#scripts.replace(jobOf(pointer, now), token)))
  }

  /** Says that these are still worked on; returns those that this process does not hold any more. */
  async extend(held: readonly HeldByToken[], lockMs: number): Promise<JobId[]> {
    const lost = await this.#scripts.extendLocks(
      held.map((each) => each.jobId),
      held.map((each) => each.token),
      lockMs,
    )
    return lost.map(jobId)
  }

  /** Puts the jobs of silent holders back, at most once per check interval over all processes. True: there were some. */
  async recoverStalled(): Promise<boolean> {
    const recovered: unknown = await this.#scripts.moveStalledJobsToWait()
    return Array.isArray(recovered) && recovered.length > 0
  }

  /** Which of these Redis does not know. */
  async missing(ids: readonly JobId[]): Promise<JobId[]> {
    const keys = ids.map((id) => this.key(id))
    // Nearly always all are there, or none.
    const count = await this.#client.exists(...keys)
    if (count === 0 || count === keys.length) return count === 0 ? [...ids] : []
    const known = await Promise.all(keys.map((key) => this.#client.exists(key)))
    return ids.filter((_, index) => known[index] === 0)
  }

  /** Takes up to `count` waiting jobs off, those that would run last; the reconciler adds them again. Returns how many. */
  async shed(count: number): Promise<number> {
    const popped = await this.#client.zpopmax(this.key('prioritized'), count)
    const ids = popped.filter((_, index) => index % 2 === 0)
    await Promise.all(ids.map((id) => this.#client.del(this.key(id))))
    return ids.length
  }

  /** Takes jobs off whoever holds them. */
  async remove(ids: readonly JobId[]): Promise<void> {
    await Promise.all(ids.flatMap((id) => [this.#client.del(`${this.key(id)}:lock`), this.#scripts.remove(id, false)]))
  }
}

interface ScriptCall {
  readonly script: string
  readonly args: readonly unknown[]
}

class Scripts extends RedisQueueBackend {
  /** All that BullMQ's script needs to know of a job is its id. */
  readonly #template: Job
  /** While BullMQ's code is asked for the arguments of scripts instead of running them. */
  #calls: ScriptCall[] | undefined

  constructor({ plugin, prefix, client, connection, lockMs, stalledCheckMs }: PluginQueueOptions) {
    const keys = new QueueKeys(prefix)
    const name = `{${plugin}}`
    const settings = { connection: client, prefix, lockDuration: lockMs, stalledInterval: stalledCheckMs, maxStalledCount: MAX_STALLS }
    super(connection, name, keys.getKeys(name), (type) => keys.toKey(name, type), settings, undefined, false)
    this.#template = new Job(new Queue(name, { connection: client, prefix, skipMetasUpdate: true }, () => this), 'job', null)
  }

  async add(jobs: readonly ReturnType<typeof jobOf>[]): Promise<void> {
    const client = await this.client
    const calls = this.#collected(() => {
      for (const job of jobs) void this.addJobToTransaction(client, job, job.id)
    })
    await Promise.all(
      [...Map.groupBy(calls, (call) => call.script)].map(([script, own]) => {
        const keys = own[0]?.args.slice(0, keyCount(script)) ?? []
        const each = own.flatMap((call) => call.args.slice(keys.length))
        return this.execCommand(client, many(script), [...keys, ...each])
      }),
    )
  }

  // BullMQ itself fetches a next job with the options that finish one, so they serve here as well.
  async take(token: string, limit: number): Promise<Taken[]> {
    const { wait, active, prioritized, events, stalled, limiter, delayed, paused, meta, pc, marker } = this.keys
    const keys = [wait, active, prioritized, events, stalled, limiter, delayed, paused, meta, pc, marker]
    const [, timestamp, , , , , prefix, options] = this.#finishing(token).args
    const found: unknown = await this.execCommand(await this.client, many('moveToActive'), [...keys, prefix, timestamp, options, limit])
    return Array.isArray(found) ? found.map(takenOf) : []
  }

  async finish(held: readonly HeldByToken[]): Promise<JobId[]> {
    const args: unknown[] = []
    for (const [token, jobs] of Map.groupBy(held, (job) => job.token)) {
      const { keys, args: shared } = this.#finishing(token)
      if (args.length === 0) args.push(...keys)
      args.push(...shared, jobs.length, ...jobs.map((job) => job.jobId))
    }
    const refused: unknown = await this.execCommand(await this.client, many('moveToFinished'), args)
    return Array.isArray(refused) ? refused.map(jobId) : []
  }

  override execCommand(...[client, script, args]: Parameters<RedisQueueBackend['execCommand']>): unknown {
    return this.#calls === undefined ? super.execCommand(client, script, args) : this.#calls.push({ script, args })
  }

  /** The scripts that `ask` would run, which it must do before it returns. */
  #collected(ask: () => void): ScriptCall[] {
    const calls: ScriptCall[] = []
    this.#calls = calls
    try {
      ask()
    } finally {
      this.#calls = undefined
    }
    return calls
  }

  /** What BullMQ's script gets to finish a job that is held by this token; its id and its own key are still to be filled in. */
  #finishing(token: string): { keys: unknown[]; args: unknown[] } {
    const both: unknown[] = this.moveToCompletedArgs(this.#template, '', true, token, false)
    const keys = keyCount('moveToFinished')
    return { keys: both.slice(0, keys), args: both.slice(keys) }
  }

  async replace(job: ReturnType<typeof jobOf>, token: string): Promise<void> {
    const client = await this.client
    const transaction = client.multi()
    this.#template.id = job.id
    this.execCommand(transaction, 'moveToFinished', this.moveToCompletedArgs(this.#template, '', true, token, false))
    // A job that is still there (its lock had run out, and somebody else holds it) is left alone by the second.
    void this.addJobToTransaction(transaction, job, job.id)
    const answers: unknown = await transaction.exec()
    if (!Array.isArray(answers)) throw new Error('Redis dropped a transaction')
    for (const [error] of answers) if (error instanceof Error) throw error
  }
}

function jobOf({ jobId: id, priority, runAt, attempts }: Pointer, now: number) {
  const bull = bullPriority(priority)
  const delay = runAt === null ? 0 : Math.max(0, runAt - now)
  return {
    id,
    name: 'job',
    data: String(attempts),
    opts: delay > 0 ? { priority: bull, delay } : { priority: bull },
    // Since when it waits: one that is put back late is older than its place on the queue.
    timestamp: runAt === null ? now : Math.min(now, runAt),
    progress: 0,
    attemptsMade: 0,
    attemptsStarted: 0,
    failedReason: '',
    returnvalue: '',
    stalledCounter: 0,
  }
}

function takenOf(found: unknown): Taken {
  if (!Array.isArray(found)) throw new Error('Redis did not answer with a job')
  const fields: readonly unknown[] = found
  const [id, priority, data, stalls] = fields
  return { jobId: jobId(String(id)), priority: ownPriority(Number(priority)), attempts: Number(data), stalls: Number(stalls) }
}

function batches<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / LARGEST_BATCH) }, (_, n) => items.slice(n * LARGEST_BATCH, (n + 1) * LARGEST_BATCH))
}
