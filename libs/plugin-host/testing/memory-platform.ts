import { setImmediate as nextTurn } from 'node:timers/promises'
import type { RunnablePlugin } from '../../engine/plugin-port.ts'
import type { EmitRequest, Engine, Subscription, SubmitRequest, SubscriptionRegistry } from '../../engine/port.ts'
import { XCoreError } from '../../errors/index.ts'
import { correlationId, eventId, jobId, pluginName, randomIds, type Job, type JobId } from '../../event-log/index.ts'
import { matchGlob } from '../../event-log/glob.ts'
import { createMemorySchedules } from '../../services/scheduler/memory/registry.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { PluginPlatform } from '../port.ts'

/**
 * A platform in memory: jobs run at once, one attempt each, and nothing outlives the process. Enough for plugins to load, call
 * each other and hear each other's events without a database.
 */
export class MemoryPlatform implements PluginPlatform {
  readonly jobs = new Map<JobId, Job>()
  readonly submitted: SubmitRequest[] = []
  readonly emitted: EmitRequest[] = []
  readonly registered = new Map<string, Subscription>()
  readonly retained: (readonly string[])[] = []
  readonly schedules = createMemorySchedules(Date.now)
  readonly #find: (plugin: string) => RunnablePlugin | undefined
  readonly #logger: Logger
  readonly #running = new Set<Promise<void>>()
  readonly #lookers = new Set<() => void>()

  constructor(find: (plugin: string) => RunnablePlugin | undefined, logger: Logger) {
    this.#find = find
    this.#logger = logger
  }

  readonly engine: Pick<Engine, 'submit' | 'emit' | 'wait'> = {
    submit: async (request) => {
      this.submitted.push(request)
      const plugin = this.#find(request.plugin)
      if (plugin === undefined) throw new XCoreError('not_found', `no plugin ${request.plugin}`)
      const accepted = plugin.accepts(request.action, request.payload)
      if (!accepted.ok && accepted.reason === 'unknown') throw new XCoreError('unknown_action', `no action ${request.action}`)
      if (!accepted.ok && accepted.reason === 'invalid')
        throw new XCoreError('validation_error', 'bad payload', { issues: accepted.issues })
      const job = this.#start(
        plugin,
        makeJob({ ...origin(request), kind: 'action', plugin: pluginName(request.plugin), name: request.action, payload: request.payload }),
      )
      return { jobId: job.id, state: 'queued', replayed: false }
    },
    emit: async (request) => {
      this.emitted.push(request)
      for (const look of this.#lookers) look()
      const id = eventId(randomIds.uuid())
      const fitting = [...this.registered.values()].filter(({ pattern }) => matchGlob(pattern, request.name))
      const jobs = fitting.flatMap((subscription) => {
        const plugin = this.#find(subscription.plugin)
        if (plugin === undefined) return []
        const { meta, ...rest } = origin(request)
        const event = { id, source: request.source, time: new Date().toISOString(), subscription: subscription.id }
        const job = makeJob({
          ...rest,
          kind: 'event',
          plugin: subscription.plugin,
          name: request.name,
          payload: request.data,
          meta: { ...meta, event },
        })
        return [this.#start(plugin, job).id]
      })
      return { eventId: id, jobs, replayed: false }
    },
    wait: async (id, timeoutMs, signal) => {
      const limit = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])])
      while (this.jobs.get(id)?.finishedAt === null && !limit.aborted) await nextTurn()
      return this.jobs.get(id)
    },
  }

  readonly subscriptions: SubscriptionRegistry = {
    replace: async (plugin, _version, subscriptions) => {
      for (const [key, known] of this.registered) if (known.plugin === plugin) this.registered.delete(key)
      for (const subscription of subscriptions) await this.subscriptions.add(subscription)
    },
    add: async (subscription) => void this.registered.set(`${subscription.plugin} ${subscription.id}`, subscription),
    remove: async (plugin, id) => void this.registered.delete(`${plugin} ${id}`),
    retain: async (known) => {
      this.retained.push(known)
      const gone = [...this.registered].filter(([, { plugin }]) => !known.includes(plugin))
      for (const [key] of gone) this.registered.delete(key)
      return [...new Set(gone.map(([, { plugin }]) => plugin))]
    },
  }

  /** Resolves once no job runs any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** Resolves once events of that name were emitted so often. */
  async heard(name: string, times: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = () => {
      if (this.emitted.filter((request) => request.name === name).length >= times) resolve()
    }
    this.#lookers.add(look)
    look()
    await promise
    this.#lookers.delete(look)
  }

  #start(plugin: RunnablePlugin, job: Job): Job {
    this.jobs.set(job.id, job)
    const run = this.#run(plugin, job).finally(() => this.#running.delete(run))
    this.#running.add(run)
    return job
  }

  async #run(plugin: RunnablePlugin, job: Job): Promise<void> {
    const ended = await plugin.execute({
      job,
      deadline: new Date(Date.now() + 60_000),
      signal: new AbortController().signal,
      logger: this.#logger,
    })
    const finishedAt = new Date()
    if (ended.kind === 'ok') this.jobs.set(job.id, { ...job, state: 'succeeded', result: ended.result, finishedAt })
    else this.jobs.set(job.id, { ...job, state: ended.kind === 'error' ? 'failed' : 'dead', error: ended.error, finishedAt })
  }
}

function origin(request: SubmitRequest | EmitRequest): Pick<Job, 'correlationId' | 'causationId' | 'meta'> {
  return {
    correlationId: request.correlationId ?? correlationId(randomIds.uuid()),
    causationId: request.causationId ?? null,
    meta: {
      ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
      ...(request.depth === undefined ? {} : { depth: request.depth }),
      ...(request.caller === undefined ? {} : { caller: request.caller }),
    },
  }
}

/** A job that runs its first attempt now. */
export function makeJob(job: Pick<Job, 'plugin' | 'name'> & Partial<Job>): Job {
  const now = new Date()
  return {
    id: jobId(randomIds.uuid()),
    kind: 'action',
    state: 'active',
    priority: 50,
    attempt: 1,
    maxAttempts: 3,
    payload: {},
    result: null,
    error: null,
    errorFingerprint: null,
    requestedAt: now,
    runAt: now,
    startedAt: now,
    finishedAt: null,
    correlationId: correlationId(randomIds.uuid()),
    causationId: null,
    replayOf: null,
    root: null,
    replayId: null,
    idempotencyKey: null,
    pluginVersion: '1.0.0',
    meta: {},
    ...job,
  }
}
