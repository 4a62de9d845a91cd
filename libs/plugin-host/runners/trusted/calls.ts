import type { CallOptions, CallResult, EnqueueOptions } from '@xcore/sdk'
import type { Engine, SubmitRequest } from '../../../engine/port.ts'
import { XCoreError } from '../../../errors/index.ts'
import type { Job, JobId, PluginName } from '../../../event-log/index.ts'
import { isTerminal } from '../../../event-log/index.ts'
import type { Permissions } from '../../permissions/permissions.ts'
import { dateArgument, jsonArgument, secondsArgument, stageArgument } from './arguments.ts'
import { originOf, outside, running } from './running.ts'
import type { Running } from './running.ts'

const DEFAULT_TIMEOUT_SECONDS = 30
/** Node's timers hold at most 2^31−1 ms. */
const LONGEST_TIMER_MS = 2_147_483_647

/** What a plugin asks of other plugins: all of it goes through durable jobs. */
export class TrustedCalls {
  readonly #plugin: PluginName
  readonly #engine: Pick<Engine, 'submit' | 'wait'>
  readonly #permissions: Permissions
  readonly #now: () => Date

  constructor(plugin: PluginName, engine: Pick<Engine, 'submit' | 'wait'>, permissions: Permissions, now: () => Date) {
    this.#plugin = plugin
    this.#engine = engine
    this.#permissions = permissions
    this.#now = now
  }

  async call(plugin: string, action: string, payload: unknown, options: CallOptions): Promise<CallResult> {
    const what = `the call of ${plugin}/${action}`
    const current = running.getStore()
    const milliseconds = this.#remaining(options.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS, current?.deadline ?? null)
    if (milliseconds === 0) throw new XCoreError('timeout', `${what} was not made: the time of the job that calls is up`)
    const request = { ...this.#request(plugin, action, payload, what), ...waitedFor(current?.job ?? null), awaited: true }
    let jobId: JobId
    try {
      jobId = (await outside(() => this.#engine.submit(request))).jobId
    } catch (thrown) {
      const refusal = asResult(thrown)
      if (refusal === undefined) throw thrown
      return refusal
    }
    const { whileWaiting = (_on, work) => work() }: Pick<Running, 'whileWaiting'> = current ?? {}
    const job = await whileWaiting(plugin, () => outside(() => this.#engine.wait(jobId, milliseconds, current?.signal ?? undefined)))
    if (job !== undefined && isTerminal(job.state)) return outcome(job)
    throw new XCoreError('timeout', `${what} was not done within ${milliseconds / 1000} s; its job ${jobId} goes on`, {
      details: { job_id: jobId },
    })
  }

  async enqueue(plugin: string, action: string, payload: unknown, options: EnqueueOptions): Promise<string> {
    const { priority, delaySeconds, runAt, idempotencyKey } = options
    const request = {
      ...this.#request(plugin, action, payload, `the enqueue of ${plugin}/${action}`),
      ...(priority === undefined ? {} : { priority }),
      ...(delaySeconds === undefined ? {} : { delaySeconds: secondsArgument('delaySeconds', delaySeconds) }),
      ...(runAt === undefined ? {} : { runAt: dateArgument('runAt', runAt) }),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    }
    if (options.tx !== undefined) {
      const stage = stageArgument(options.tx)
      return outside(() => stage.submit(request))
    }
    const { jobId } = await outside(() => this.#engine.submit(request))
    return jobId
  }

  #request(plugin: string, action: string, payload: unknown, what: string): SubmitRequest {
    // Its own actions need no permission: they are this code.
    if (plugin !== this.#plugin) this.#permissions.check(`plugin:${plugin}`, 'execute')
    return { plugin, action, payload: jsonArgument(payload, `payload of ${what}`), source: 'plugin', ...originOf(this.#plugin, what) }
  }

  #remaining(timeoutSeconds: number, deadline: Date | null): number {
    if (!Number.isFinite(timeoutSeconds) || timeoutSeconds <= 0) {
      throw new XCoreError('bad_request', `callPlugin: expected a timeoutSeconds above 0, found ${timeoutSeconds}`)
    }
    const own = timeoutSeconds * 1000
    const left = deadline === null ? own : Math.max(0, Math.min(own, deadline.getTime() - this.#now().getTime()))
    return Math.min(left, LONGEST_TIMER_MS)
  }
}

/** A call that a job waits for: it knows who waits, and comes before those that wait for such calls. */
function waitedFor(job: Job | null): Pick<SubmitRequest, 'calls' | 'priorityFloor'> {
  if (job === null) return {}
  const own = job.kind === 'action' ? [`${job.plugin}/${job.name}`] : []
  return { calls: [...(job.meta.calls ?? []), ...own], priorityFloor: Math.min(100, job.priority + 1) }
}

// Faults of the call itself, which trying again does not mend.
function asResult(thrown: unknown): CallResult | undefined {
  if (!(thrown instanceof XCoreError)) return undefined
  switch (thrown.code) {
    case 'not_found':
    case 'unknown_action':
    case 'validation_error':
    case 'permission_denied': {
      const details = thrown.issues.map(({ path, message }) => ({ path, message }))
      return { status: 'error', msg: thrown.message, code: thrown.code, ...(details.length > 0 ? { details } : {}) }
    }
    default:
      return undefined
  }
}

function outcome(job: Job): CallResult {
  if (job.state === 'succeeded') return { ...(job.result ?? {}), status: 'ok' }
  const { code, message, statusCode, details } = job.error ?? { code: 'cancelled', message: `job ${job.id} was cancelled` }
  return {
    status: 'error',
    msg: message,
    code,
    ...(statusCode === undefined ? {} : { status_code: statusCode }),
    ...(details === undefined ? {} : { details }),
  }
}
