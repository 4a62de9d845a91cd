import type { HandlerResult, Invocation } from '../../../../engine/plugin-port.ts'
import { XCoreError, messageOf } from '../../../../errors/index.ts'
import type { JobId } from '../../../../event-log/index.ts'
import type { Departure, PluginSource, SandboxStatus } from '../../../runner.ts'
import type { CallFrame, RouteFrame } from '../wire/frames.ts'
import { fromRich, toRich } from '../wire/rich.ts'
import { AttemptTransaction } from '../../trusted/job-transaction.ts'
import { running } from '../../trusted/running.ts'
import type { Running } from '../../trusted/running.ts'
import { dispatch } from './calls.ts'
import type { Operation, WorkContext } from './calls.ts'
import { Gate } from './gate.ts'
import { checkOffer } from './checked-offer.ts'
import { deniedEvent } from './denied-event.ts'
import { NotNow, interrupted, jobFrame, notNow, patience } from './job-frame.ts'
import { codeOf } from './end.ts'
import type { SandboxEnd, Work } from './end.ts'
import { SandboxOffer } from './offer.ts'
import { SandboxProcess } from './process.ts'
import type { Loaded, ProcessOptions, RouteEnd } from './process.ts'
import type { Ring } from './rings.ts'
import { INITIAL, evolve } from './supervision.ts'
import type { Supervision } from './supervision.ts'

/** How long a handler may take to heed its abort signal before its sandbox is ended. */
const TIMEOUT_GRACE_MS = 250
const CANCEL_GRACE_MS = 2_000
/** Jobs that are remembered to be run alone. */
const MAX_SUSPECTS = 10_000

export interface SupervisorOptions {
  readonly source: PluginSource
  readonly ring: Ring
  /** Everything of a process but what the supervisor adds. Called for each start: a new process may get another user. */
  readonly process: (previousState: unknown) => Omit<ProcessOptions, 'onCall' | 'onMetric'>
  readonly operations: (supervisor: Supervisor) => Readonly<Record<string, Operation>>
  readonly onRestart: (reason: string) => void
  readonly now: () => number
}

/**
 * Keeps one process for a sandboxed plugin: started when it is needed, kept warm, ended when idle or used up, started again after
 * a crash with growing pauses, and not any more when it crashes again and again.
 *
 *   stopped ──job──► starting ──► ready ──idle, used up──► stopped
 *      ▲                 │           │
 *      └─────pause───────┴──crash────┘──6th in a row──► suspended ──resume──► stopped
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #operations: Readonly<Record<string, Operation>>
  readonly #contexts = new WeakMap<Work, WorkContext>()
  /** Its subscriptions and schedules. */
  readonly offer: SandboxOffer
  /** Jobs that shared a sandbox with one that ended it: they run alone, so that the next end can be attributed. */
  readonly #suspects = new Set<JobId>()
  readonly #gate = new Gate()
  #supervision: Supervision = INITIAL
  #process: SandboxProcess | null = null
  #starting: Promise<SandboxProcess> | null = null
  #lastEnd: SandboxEnd | null = null
  #restarts = 0
  #previousState: unknown
  readonly #gone = new AbortController()
  #unloaded = false
  #idleTimer: NodeJS.Timeout | undefined
  #warmTimer: NodeJS.Timeout | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.offer = new SandboxOffer(options.source)
    this.#operations = options.operations(this)
  }

  /** As the plugin was when it last started. */
  get loaded(): Loaded {
    if (this.offer.loaded === null) throw new XCoreError('internal_error', 'the sandboxed plugin has not been loaded')
    return this.offer.loaded
  }

  contextOf(work: Work): WorkContext {
    return this.#contexts.get(work) ?? { job: null, traceparent: undefined, deadline: null, transaction: null, submitted: new Set() }
  }

  /** The first start, which tells what the plugin offers. `previousState`: of the instance before. Rejects with XCoreError. */
  async load(previousState: unknown): Promise<void> {
    this.#previousState = previousState
    await this.#started()
    this.#previousState = undefined
  }

  /** What `onReload` returns; undefined: no process runs, so there is nothing to hand over. */
  async handOver(): Promise<unknown> {
    return fromRich(await this.#process?.handOver())
  }

  async execute(invocation: Invocation): Promise<HandlerResult> {
    const { job, signal } = invocation
    const denied = deniedEvent(this.#options.source, job)
    if (denied !== undefined) return denied
    const alone = this.#suspects.has(job.id)
    const leave = await this.#gate.enter(alone, patience(invocation, this.#options.now()))
    if (leave === undefined) return notNow('another job of the plugin runs alone in its sandbox')
    try {
      const process = await this.#started()
      signal.throwIfAborted()
      return await this.#run(process, invocation, alone)
    } catch (thrown) {
      if (thrown instanceof NotNow) return notNow(thrown.message, thrown.afterSeconds)
      const code = thrown instanceof XCoreError ? thrown.code : 'sandbox_boot_failed'
      return { kind: 'threw', error: { code: code === 'plugin_load_failed' ? 'sandbox_boot_failed' : code, message: messageOf(thrown) } }
    } finally {
      leave()
      this.#settleIdle()
    }
  }

  /** Rejects with XCoreError `not_ready` or the code of how the sandbox ended. */
  async route(
    route: Omit<RouteFrame, 't' | 'id'>,
    context: Pick<WorkContext, 'traceparent' | 'deadline'>,
    timeoutMs: number,
  ): Promise<RouteEnd> {
    const leave = await this.#gate.enter(false, timeoutMs / 2)
    if (leave === undefined)
      throw new XCoreError('not_ready', 'the sandbox of the plugin is busy with a job that runs alone', { retryAfterSeconds: 1 })
    try {
      const process = await this.#started().catch((thrown: unknown) => {
        throw thrown instanceof NotNow
          ? new XCoreError('not_ready', thrown.message, { retryAfterSeconds: Math.ceil(thrown.afterSeconds) })
          : thrown
      })
      let late: NodeJS.Timeout | undefined
      const ended = process.route(route, (work) => {
        this.#contexts.set(work, { job: null, transaction: null, submitted: new Set(), ...context })
        late = setTimeout(
          () => this.#tooLate(process, work, new DOMException('the route took too long', 'TimeoutError'), TIMEOUT_GRACE_MS),
          timeoutMs,
        )
      })
      return await ended.finally(() => clearTimeout(late))
    } finally {
      leave()
      this.#settleIdle()
    }
  }

  /** Aborts when this instance of the plugin is gone. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  refusal(): { readonly code: 'sandbox_suspended'; readonly message: string } | undefined {
    if (this.#supervision.circuit === 'closed') return undefined
    const { name } = this.#options.source.manifest
    return {
      code: 'sandbox_suspended',
      message: `plugin ${name} crashed ${this.#supervision.failures} times in a row, ${this.#supervision.recent.length} times in a minute, and is suspended (last: ${this.#lastEnd?.message ?? 'unknown'}); fix it, then POST /admin/plugins/${name}/resume`,
    }
  }

  status(): SandboxStatus {
    const { failures, circuit } = this.#supervision
    const process = this.#process
    return {
      ring: this.#options.ring,
      state: circuit === 'open' ? 'suspended' : process !== null ? 'ready' : this.#starting !== null ? 'starting' : 'stopped',
      circuit,
      failures,
      restarts: this.#restarts,
      memoryMb: process === null ? null : Math.round(process.memoryBytes / 1024 / 1024),
      lastEnd: this.#lastEnd === null ? null : { reason: this.#lastEnd.reason, message: this.#lastEnd.message },
    }
  }

  resume(): void {
    this.#supervision = evolve(this.#supervision, { type: 'resumed' })
    this.#keepWarm()
  }

  /** The process that runs now, for tests and benches. */
  get process(): SandboxProcess | null {
    return this.#process
  }

  async unload(why: Departure): Promise<void> {
    this.offer.retire()
    this.#unloaded = true
    clearTimeout(this.#idleTimer)
    clearTimeout(this.#warmTimer)
    await this.#starting?.catch(() => {})
    const process = this.#process
    try {
      await process?.unload().finally(() => process.ended)
    } finally {
      this.#gone.abort(new DOMException(why, 'AbortError'))
    }
  }

  async #run(process: SandboxProcess, invocation: Invocation, alone: boolean): Promise<HandlerResult> {
    const { job, signal, deadline } = invocation
    const transaction = new AttemptTransaction(this.#options.source.begin, signal)
    let onAbort: (() => void) | undefined
    let work: Work | undefined
    const ran = process.run(
      { job: jobFrame(job), deadline: deadline.getTime() },
      () => this.#options.source.logger.child({ job: job.id, attempt: job.attempt, correlation_id: job.correlationId }),
      (begun) => {
        work = begun
        this.#contexts.set(begun, { job, traceparent: job.meta.traceparent, deadline, transaction, submitted: new Set() })
        onAbort = () => this.#aborted(process, begun, signal)
        signal.addEventListener('abort', onAbort, { once: true })
      },
    )
    const result = await ran
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
    if (result.kind !== 'lost') {
      this.#suspects.delete(job.id)
      this.#supervision = evolve(this.#supervision, { type: 'succeeded' })
      this.#wearOut(process)
      return transaction.conclude(result)
    }
    await transaction.abandon()
    const { end } = result
    const { name } = this.#options.source.manifest
    const isBlamed = work !== undefined && end.blamed === work.id
    if ((end.jobs > 1 && !isBlamed) || end.reason === 'unloaded' || end.reason === 'recycled') {
      if (end.reason !== 'unloaded' && this.#suspects.size < MAX_SUSPECTS) this.#suspects.add(job.id)
      return interrupted(`the sandbox of plugin ${name} ended while ${end.jobs} jobs ran in it (${codeOf(end.reason)}: ${end.message})`)
    }
    if (alone) this.#suspects.delete(job.id)
    return { kind: 'threw', error: { code: codeOf(end.reason), message: `the sandbox of plugin ${name} ended: ${end.message}` } }
  }

  /** What the sandbox asks for is done in the name of the job or request that it belongs to, as if the plugin ran here. */
  #call(work: Work, frame: CallFrame): Promise<unknown> {
    const { source } = this.#options
    const { job, traceparent, deadline } = this.contextOf(work)
    const { manifest, permissions } = source
    const current: Running = {
      plugin: manifest.name,
      job,
      traceparent,
      deadline,
      permissions,
      get signal() {
        return work.signal
      },
      get logger() {
        return work.logger
      },
    }
    return running.run(current, () => dispatch(this.#operations, frame, work))
  }

  #aborted(process: SandboxProcess, work: Work, signal: AbortSignal): void {
    const reason: unknown = signal.reason
    const why = reason instanceof DOMException ? reason : new DOMException('the job was given up', 'AbortError')
    this.#tooLate(process, work, why, why.name === 'TimeoutError' ? TIMEOUT_GRACE_MS : CANCEL_GRACE_MS)
  }

  /** Lets the handler heed its signal; a sandbox in which it goes on is ended. */
  #tooLate(process: SandboxProcess, work: Work, why: DOMException, graceMs: number): void {
    process.abort(work, why)
    void process.answers(graceMs).then((answered) => {
      if (!answered) return process.end('timeout', `${why.message}, and it did not answer: its event loop is blocked`)
      setTimeout(() => {
        if (process.isRunning(work)) process.end('timeout', `${why.message}, and its handler went on`, work)
      }, graceMs)
    })
  }

  async #started(): Promise<SandboxProcess> {
    if (this.#unloaded) throw new NotNow('the plugin is unloaded', 1)
    if (this.#process !== null && !this.#process.isOver) return this.#process
    const refusal = this.refusal()
    if (refusal !== undefined) throw new NotNow(refusal.message, 5)
    const pause = this.#supervision.restartAt - this.#options.now()
    if (pause > 0)
      throw new NotNow(`the sandbox of the plugin starts again in ${pause} ms, after ${this.#supervision.failures} crashes`, pause / 1000)
    this.#starting ??= this.#start().finally(() => (this.#starting = null))
    return this.#starting
  }

  async #start(): Promise<SandboxProcess> {
    // A process that is ending is waited for: never two at once.
    await this.#process?.ended
    this.#process = null
    const { process: options } = this.#options
    const first = this.offer.loaded === null
    try {
      const { process, loaded } = await SandboxProcess.start({
        ...options(toRich(this.#previousState)),
        onCall: (work, frame) => this.#call(work, frame),
        onMetric: ({ kind, name, value }) => this.#options.source.metrics[kind](name, value),
      })
      this.#process = process
      void process.ended.then((end) => this.#ended(process, end))
      checkOffer(this.#options.source.manifest.name, loaded)
      await this.offer.adopt(loaded)
      return process
    } catch (thrown) {
      const message = messageOf(thrown)
      this.#lastEnd = { reason: 'sandbox_boot_failed', message, jobs: 0, blamed: null }
      if (this.#process !== null) this.#process.end('sandbox_boot_failed', message)
      else if (!first) this.#crashed('sandbox_boot_failed')
      throw thrown
    }
  }

  #ended(process: SandboxProcess, end: SandboxEnd): void {
    if (this.#process === process) this.#process = null
    if (end.reason === 'unloaded') return
    this.#lastEnd = end
    this.#restarts += 1
    if (end.reason === 'recycled') {
      this.#options.onRestart('recycled')
      return this.#keepWarm()
    }
    this.#crashed(end.reason)
    this.#options.source.logger.warn(
      { reason: end.reason, jobs: end.jobs, restart_at: new Date(this.#supervision.restartAt) },
      `the sandbox ended: ${end.message}`,
    )
  }

  #crashed(reason: SandboxEnd['reason']): void {
    const was = this.#supervision.circuit
    // A job that does not end in time pays for it with its attempts; suspended, the plugin would keep the others waiting.
    if (reason !== 'timeout') this.#supervision = evolve(this.#supervision, { type: 'crashed', now: this.#options.now() })
    this.#options.onRestart(reason)
    const refusal = this.refusal()
    if (was === 'closed' && refusal !== undefined) {
      this.#options.onRestart('suspended')
      this.#options.source.logger.error({ code: refusal.code }, refusal.message)
    }
    this.#keepWarm()
  }

  /** With `sandbox.prewarm`: starts it again after an end, as soon as it may, so that the next job finds it ready. */
  #keepWarm(): void {
    clearTimeout(this.#warmTimer)
    const { prewarm } = this.#options.source.manifest.sandbox
    if (!prewarm || this.#unloaded || this.offer.retired || this.#supervision.circuit === 'open') return
    const pause = Math.max(0, this.#supervision.restartAt - this.#options.now())
    this.#warmTimer = setTimeout(() => {
      // One that fails to start is counted as a crash, and comes here again by that; a timer may also fire a moment early.
      this.#started().catch((thrown: unknown) => (thrown instanceof NotNow ? this.#keepWarm() : undefined))
    }, pause)
    this.#warmTimer.unref()
  }

  /** Ends a process that has done its share, once nothing runs in it. */
  #wearOut(process: SandboxProcess): void {
    const { maxJobs } = this.#options.source.manifest.sandbox
    if (process.jobsDone >= maxJobs && process.busy === 0) process.end('recycled', `it had done ${process.jobsDone} jobs`)
  }

  #settleIdle(): void {
    clearTimeout(this.#idleTimer)
    const process = this.#process
    const { idleSeconds, prewarm } = this.#options.source.manifest.sandbox
    if (process === null || process.busy > 0 || this.#unloaded || prewarm) return
    this.#idleTimer = setTimeout(() => {
      if (process.busy === 0) process.end('recycled', `it was idle for ${idleSeconds} s`)
    }, idleSeconds * 1000)
    this.#idleTimer.unref()
  }
}
