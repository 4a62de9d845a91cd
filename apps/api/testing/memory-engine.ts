import { XCoreError } from '../../../libs/errors/index.ts'
import type { Emitted, EmitRequest, Engine, JobFilter, JobPage, Replays, Submitted, SubmitRequest } from '../../../libs/engine/port.ts'
import {
  correlationId,
  eventId,
  isTerminal,
  jobId,
  pluginName,
  randomIds,
  type Job,
  type JobError,
  type JobId,
  type JsonObject,
} from '../../../libs/event-log/index.ts'
import type { LoggedEvent } from '../../../libs/event-log/log-events.ts'

/** How a job of the memory engine ends; undefined: it stays queued. */
export type Ending = { readonly result: JsonObject } | { readonly state: 'failed' | 'dead' | 'cancelled'; readonly error: JobError | null }

/**
 * An Engine in memory: keeps what it is asked, dedupes by idempotency key, and ends awaited jobs as `endings` says.
 * For tests of the HTTP edge only; it makes no promise of durability, order or fairness.
 */
export class MemoryEngine implements Engine {
  readonly jobs = new Map<JobId, Job>()
  readonly submitted: SubmitRequest[] = []
  readonly emitted: EmitRequest[] = []
  readonly filters: JobFilter[] = []
  /** How jobs of an action end as soon as somebody waits for them. */
  readonly endings = new Map<string, Ending>()
  /** Thrown by every call while set. */
  fault: Error | undefined
  /** Called when somebody begins to wait. */
  onWait: () => void = () => undefined
  readonly #keys = new Map<string, { fingerprint: string; id: JobId }>()
  readonly #events = new Map<string, Emitted>()

  async submit(request: SubmitRequest): Promise<Submitted> {
    this.#check()
    this.submitted.push(request)
    if (request.plugin !== 'demo') throw new XCoreError('not_found', `There is no plugin "${request.plugin}".`)
    if (request.action === 'strict') {
      throw new XCoreError('validation_error', 'The payload does not fit.', { issues: [{ path: '/amount', message: 'expected a number' }] })
    }
    const known = this.#known(request)
    if (known !== undefined) return { jobId: known, state: 'queued', replayed: true }
    const job = newJob(request)
    this.jobs.set(job.id, job)
    if (request.idempotencyKey !== undefined) this.#keys.set(request.idempotencyKey, { fingerprint: fingerprintOf(request), id: job.id })
    return { jobId: job.id, state: job.state, replayed: false }
  }

  async emit(request: EmitRequest): Promise<Emitted> {
    this.#check()
    this.emitted.push(request)
    const key = `${request.source}\n${request.externalId}`
    const known = request.externalId === undefined ? undefined : this.#events.get(key)
    if (known !== undefined) return { ...known, replayed: true }
    const emitted: Emitted = { eventId: eventId(randomIds.uuid()), jobs: [jobId(randomIds.uuid())], replayed: false }
    this.#events.set(key, emitted)
    return emitted
  }

  async wait(id: JobId, timeoutMs: number, signal?: AbortSignal): Promise<Job | undefined> {
    this.#check()
    const job = this.jobs.get(id)
    const ending = job === undefined ? undefined : this.endings.get(job.name)
    if (job === undefined) return undefined
    if (ending !== undefined) {
      const ended = endJob(job, ending)
      this.jobs.set(id, ended)
      return ended
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
      this.onWait()
    })
    return this.jobs.get(id)
  }

  async cancel(id: JobId): Promise<Job> {
    const job = this.jobs.get(id)
    if (job === undefined) throw new XCoreError('not_found', `There is no job ${id}.`)
    if (isTerminal(job.state) && job.state !== 'cancelled') throw new XCoreError('job_finished', `The job ${id} is ${job.state}.`)
    const cancelled = endJob(job, { state: 'cancelled', error: null })
    this.jobs.set(id, cancelled)
    return cancelled
  }

  async get(id: JobId): Promise<Job | undefined> {
    this.#check()
    return this.jobs.get(id)
  }

  async list(filter: JobFilter): Promise<JobPage> {
    this.#check()
    this.filters.push(filter)
    return { jobs: [...this.jobs.values()].reverse(), nextCursor: null }
  }

  async history(id: JobId): Promise<readonly LoggedEvent[] | undefined> {
    const job = this.jobs.get(id)
    if (job === undefined) return undefined
    return [
      {
        position: 1n,
        xid: 1n,
        recordedAt: job.requestedAt,
        stream: id,
        plugin: job.plugin,
        event: {
          type: 'job.dead',
          attempt: 3,
          finished_at: job.requestedAt.toISOString(),
          error: { code: 'handler_error', message: 'boom', stack: 'Error: boom\n at /secret/place' },
        },
      },
    ]
  }

  #check(): void {
    if (this.fault !== undefined) throw this.fault
  }

  #known(request: SubmitRequest): JobId | undefined {
    const known = request.idempotencyKey === undefined ? undefined : this.#keys.get(request.idempotencyKey)
    if (known === undefined) return undefined
    if (known.fingerprint !== fingerprintOf(request))
      throw new XCoreError('idempotency_mismatch', 'The Idempotency-Key was used with another body.')
    return known.id
  }
}

function fingerprintOf(request: SubmitRequest): string {
  return JSON.stringify([request.plugin, request.action, request.payload])
}

function newJob(request: SubmitRequest): Job {
  const id = randomIds.uuid()
  const now = new Date()
  return {
    id: jobId(id),
    kind: 'action',
    plugin: pluginName(request.plugin),
    name: request.action,
    state: 'queued',
    priority: request.priority ?? 50,
    attempt: 0,
    maxAttempts: 3,
    payload: request.payload,
    result: null,
    error: null,
    errorFingerprint: null,
    requestedAt: now,
    runAt: now,
    startedAt: null,
    finishedAt: null,
    correlationId: correlationId(id),
    causationId: null,
    replayOf: null,
    root: null,
    replayId: null,
    idempotencyKey: request.idempotencyKey ?? null,
    pluginVersion: '1.0.0',
    meta: {},
  }
}

function endJob(job: Job, ending: Ending): Job {
  const finished = { startedAt: job.requestedAt, finishedAt: new Date(), attempt: 1 }
  if ('result' in ending) return { ...job, ...finished, state: 'succeeded', result: ending.result }
  return { ...job, ...finished, state: ending.state, error: ending.error }
}

/** Of a platform on which nothing can be replayed: every job's story is its history. */
export function noReplays(engine: MemoryEngine): Omit<Replays, 'run'> {
  const refuse = async (id: string) => {
    throw new XCoreError('not_found', `There is no ${id}.`)
  }
  const nothing = async () => {
    throw new XCoreError('nothing_to_replay', 'Nothing matches.')
  }
  return {
    job: refuse,
    event: refuse,
    pause: refuse,
    resume: refuse,
    cancel: refuse,
    plan: nothing,
    start: nothing,
    list: async () => [],
    get: async () => undefined,
    failures: async () => [],
    async story(id) {
      const events = await engine.history(id)
      return events === undefined ? undefined : { events, replays: [], caused: [] }
    },
  }
}
