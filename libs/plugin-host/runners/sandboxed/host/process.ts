import type { HandlerResult } from '../../../../engine/plugin-port.ts'
import { XCoreError } from '../../../../errors/index.ts'
import type { Logger } from '../../../../telemetry/logger.ts'
import { Channel } from '../wire/channel.ts'
import { checkFromSandbox } from '../wire/checks.ts'
import { PROTOCOL } from '../wire/frames.ts'
import type { CallFrame, FromSandbox, InitFrame, JobFrame, RouteFrame } from '../wire/frames.ts'
import { ProtocolViolation } from '../wire/framing.ts'
import type { EndReason, SandboxEnd, Work } from './end.ts'
import { codeOf, toldError } from './end.ts'
import { Flow } from './flow.ts'
import { handlerResult, routeError } from './handler-result.ts'
import { launch } from './launch.ts'
import type { Exit, Launched } from './launch.ts'
import { SandboxLog } from './log.ts'
import type { LaunchPlan } from './rings.ts'
import type { StackMap } from './stack-map.ts'
import { SandboxWatch } from './watch.ts'

export type Loaded = Extract<FromSandbox, { t: 'loaded' }>
export type RouteEnd = Extract<FromSandbox, { t: 'answer' | 'route_failed' }>

export interface ProcessOptions {
  readonly plan: LaunchPlan
  readonly init: Omit<InitFrame, 't' | 'id'>
  readonly logger: Logger
  /** For the stacks that come out of it. */
  readonly stacks: StackMap
  /** Milliseconds for the process to say hello. */
  readonly bootMs: number
  readonly onCall: (work: Work, frame: CallFrame) => Promise<unknown>
  readonly onMetric: (frame: Extract<FromSandbox, { t: 'metric' }>) => void
}

interface Pending {
  readonly work: Work
  /** Aborts `work.signal`. */
  readonly over: () => void
  /** False: this is no answer to it. */
  readonly settle: (frame: FromSandbox, bytes: number) => boolean
  readonly lost: (end: SandboxEnd) => void
}

/** One for all: an exception costs a stack trace. */
const OVER = new DOMException('the work is over', 'AbortError')

const MB = 1024 * 1024
const MAX_UNREAD_BYTES = 32 * MB

/** One process of a sandboxed plugin, from its start to its end. It is never trusted: whatever it does ends it, and nothing else. */
export class SandboxProcess {
  readonly #options: ProcessOptions
  readonly #child: Launched
  readonly #channel: Channel
  readonly #log: SandboxLog
  readonly #watch: SandboxWatch
  readonly #pending = new Map<number, Pending>()
  readonly #flow: Flow
  readonly #booted = Promise.withResolvers<void>()
  readonly ended: Promise<SandboxEnd>
  readonly #resolveEnded: (end: SandboxEnd) => void
  #end: SandboxEnd | null = null
  #lastId = 0
  #bootTimer: NodeJS.Timeout | undefined
  jobsDone = 0

  private constructor(options: ProcessOptions) {
    this.#options = options
    const { promise, resolve } = Promise.withResolvers<SandboxEnd>()
    this.ended = promise
    this.#resolveEnded = resolve
    this.#child = launch(options.plan)
    this.#log = new SandboxLog(options.logger, this.#child.stdout, this.#child.stderr, options.stacks)
    this.#channel = new Channel({
      stream: this.#child.wire,
      maxUnreadBytes: MAX_UNREAD_BYTES,
      onRead: () => this.#flow.read(),
      onFrame: (frame, bytes) => this.#receive(checkFromSandbox(frame), bytes),
      onEnd: (violation) => (violation === null ? this.#wireClosed() : this.end('sandbox_protocol_error', violation.message)),
    })
    this.#flow = new Flow(this.#channel)
    void this.#child.exited.then((exit) => this.#exited(exit))
    this.#watch = new SandboxWatch({
      maxMemoryMb: options.plan.maxMemoryMb,
      pid: () => this.pid,
      isBusy: () => this.busy > 0,
      mayPing: () => this.#lastId > 0 && !this.#flow.paused,
      ping: (id) => void this.#channel.send({ t: 'ping', id }),
      end: (reason, message) => this.end(reason, message),
    })
    this.#bootTimer = setTimeout(
      () => this.end('sandbox_boot_failed', `the process did not get ready within ${options.bootMs} ms`),
      options.bootMs,
    )
  }

  /** Starts it and loads the plugin in it. Rejects with XCoreError `sandbox_boot_failed` or `plugin_load_failed`; it is gone then. */
  static async start(options: ProcessOptions): Promise<{ readonly process: SandboxProcess; readonly loaded: Loaded }> {
    const process = new SandboxProcess(options)
    try {
      await process.#booted.promise
      const { deadlines } = options.init
      const frame = await process.#hook(2 * deadlines.load + 1_000, 'onLoad', (id) => ({ t: 'init', id, ...options.init }), [
        'loaded',
        'load_failed',
      ])
      if (frame.t === 'loaded') return { process, loaded: frame }
      const cause = frame.t === 'load_failed' ? frame : { message: 'it answered nonsense', stack: undefined }
      throw new XCoreError(
        'plugin_load_failed',
        cause.message,
        cause.stack === undefined ? {} : { details: { stack: options.stacks.rewrite(cause.stack) } },
      )
    } catch (thrown) {
      process.end('sandbox_boot_failed', 'the plugin did not load')
      await process.ended
      throw thrown
    }
  }

  get isOver(): boolean {
    return this.#end !== null
  }
  /** Jobs and requests under way. */
  get busy(): number {
    return this.#pending.size
  }
  get jobs(): number {
    let jobs = 0
    for (const { work } of this.#pending.values()) if (work.kind === 'job') jobs += 1
    return jobs
  }
  /** At the last look, at most 50 ms ago. */
  get memoryBytes(): number {
    return this.#watch.memoryBytes
  }
  get pid(): number | undefined {
    return this.#child.nodePid()
  }

  /** Runs a job. Resolves with its result, or with how the sandbox ended before it had one. */
  run(
    job: Omit<JobFrame, 't' | 'id'>,
    logger: () => Logger,
    started: (work: Work) => void,
  ): Promise<HandlerResult | { readonly kind: 'lost'; readonly end: SandboxEnd }> {
    return new Promise((resolve) => {
      const sent = this.#begin('job', logger, (id) => ({ t: 'job', id, ...job }), {
        started,
        settle: (frame, bytes) => {
          if (frame.t !== 'done') return false
          this.jobsDone += 1
          resolve(handlerResult(frame, bytes, this.#options.stacks))
          return true
        },
        lost: (end) => resolve({ kind: 'lost', end }),
      })
      if (!sent)
        resolve({
          kind: 'error',
          retryable: false,
          error: { code: 'payload_too_large', message: 'the payload is larger than 8 MiB, which a sandboxed plugin cannot be sent' },
        })
    })
  }

  route(route: Omit<RouteFrame, 't' | 'id'>, started: (work: Work) => void): Promise<RouteEnd> {
    return new Promise((resolve, reject) => {
      const sent = this.#begin(
        'route',
        () => this.#options.logger,
        (id) => ({ t: 'route', id, ...route }),
        {
          started,
          settle: (frame) => {
            if (frame.t !== 'answer' && frame.t !== 'route_failed') return false
            resolve(frame.t === 'answer' ? frame : { ...frame, error: routeError(frame.error, this.#options.stacks) })
            return true
          },
          lost: (end) =>
            reject(new XCoreError(codeOf(end.reason), `the sandbox of the plugin ended while a route of it ran: ${end.message}`)),
        },
      )
      if (!sent) reject(new XCoreError('payload_too_large', 'the request is larger than 8 MiB, which a sandboxed plugin cannot be sent'))
    })
  }

  /** Tells the handler that its time is up or its job was cancelled. */
  abort(work: Work, reason: DOMException): void {
    if (this.#pending.has(work.id)) this.#channel.send({ t: 'abort', id: work.id, reason: reason.message, name: reason.name })
  }

  isRunning(work: Work): boolean {
    return this.#pending.has(work.id)
  }

  /** Whether it answers within `ms`: its event loop is not blocked. */
  answers(ms: number): Promise<boolean> {
    return this.#watch.answers(ms)
  }

  /** Runs `onReload`. Resolves with what it returned, as `toRich` makes it. */
  async handOver(): Promise<unknown> {
    const { reload } = this.#options.init.deadlines
    const frame = await this.#hook(reload + 500, 'onReload', (id) => ({ t: 'reload', id }), ['handed_over'])
    if (frame.t !== 'handed_over') return undefined
    if (frame.error !== null) throw new XCoreError('plugin_load_failed', `onReload failed: ${frame.error}`)
    return frame.state
  }

  /** Runs `onUnload` within its deadline and ends the process. Rejects with what `onUnload` threw; it is gone all the same. */
  async unload(): Promise<void> {
    if (this.isOver) return
    const { unload } = this.#options.init.deadlines
    const frame = await this.#hook(unload + 500, 'onUnload', (id) => ({ t: 'unload', id }), ['unloaded']).finally(() =>
      this.end('unloaded', 'it was unloaded'),
    )
    if (frame.t === 'unloaded' && frame.error !== null) throw new XCoreError('plugin_unload_failed', frame.error)
  }

  /** Ends it at once. Idempotent: the first reason counts. */
  end(reason: EndReason, message: string, blamed: Work | null = null): void {
    if (this.#end !== null) return
    const end: SandboxEnd = { reason, message, jobs: this.jobs, blamed: blamed?.id ?? null }
    this.#end = end
    this.#watch.stop()
    clearTimeout(this.#bootTimer)
    this.#child.kill()
    this.#channel.end(null)
    this.#booted.reject(new XCoreError('sandbox_boot_failed', `the sandbox could not be started: ${message}${this.#log.lastLines()}`))
    this.#booted.promise.catch(() => {})
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { over, lost } of pending) {
      over()
      lost(end)
    }
    // Told once nothing of it is left: a new one may take its place, its user and its memory.
    void this.#child.exited.then(() => this.#resolveEnded(end))
  }

  #receive(frame: FromSandbox, bytes: number): void {
    if (this.#end !== null) return
    switch (frame.t) {
      case 'hello':
        if (this.#lastId > 0 || frame.protocol !== PROTOCOL)
          throw new ProtocolViolation('said hello twice, or in another version of the protocol')
        clearTimeout(this.#bootTimer)
        return this.#booted.resolve()
      case 'loaded':
      case 'load_failed':
      case 'unloaded':
      case 'handed_over':
        return this.#answered(this.#hookId, frame, bytes)
      case 'done':
      case 'answer':
      case 'route_failed':
        return this.#answered(frame.id, frame, bytes)
      case 'call':
        this.#flow.took()
        return this.#called(frame, bytes)
      case 'log':
        this.#flow.took()
        return this.#log.line(frame, bytes, frame.for === null ? undefined : this.#pending.get(frame.for)?.work.logger)
      case 'metric':
        this.#flow.took()
        return this.#options.onMetric(frame)
      case 'pong':
        this.#flow.took()
        return this.#watch.ponged(frame.id)
    }
  }

  #answered(id: number, frame: FromSandbox, bytes: number): void {
    const pending = this.#pending.get(id)
    if (pending === undefined || !pending.settle(frame, bytes))
      throw new ProtocolViolation(`answered ${frame.t} for work that it was not given`)
    this.#pending.delete(id)
    pending.over()
  }

  #called(frame: CallFrame, bytes: number): void {
    const pending = this.#pending.get(frame.for)
    const reply = (answer: object) => {
      if (!this.#channel.send({ t: 'reply', id: frame.id, ...answer })) {
        this.#channel.send({
          t: 'reply',
          id: frame.id,
          ok: false,
          error: { code: 'payload_too_large', message: `${frame.op}: the answer is larger than 8 MiB` },
        })
      }
    }
    if (pending === undefined) {
      reply({
        ok: false,
        error: {
          code: 'permission_denied',
          message: `${frame.op}: the job, request or hook that this belongs to is over; await what you start`,
        },
      })
      return
    }
    this.#flow.callBegan(bytes)
    void this.#options
      .onCall(pending.work, frame)
      .then(
        (value) => reply({ ok: true, value: value ?? null }),
        (thrown: unknown) => reply({ ok: false, error: toldError(thrown, frame.op, this.#options.logger) }),
      )
      .finally(() => this.#flow.callEnded(bytes))
  }

  #begin(
    kind: Work['kind'],
    makeLogger: () => Logger,
    frame: (id: number) => object,
    handlers: { started: (work: Work) => void; settle: Pending['settle']; lost: Pending['lost'] },
  ): boolean {
    const id = ++this.#lastId
    // Made when asked for: most jobs need neither, and each costs more than all else that is done here for one.
    let over: AbortController | undefined
    let ended = false
    let logger: Logger | undefined
    const work: Work = {
      id,
      kind,
      get signal() {
        over ??= new AbortController()
        if (ended) over.abort(OVER)
        return over.signal
      },
      get logger() {
        return (logger ??= makeLogger())
      },
    }
    if (this.#end !== null) {
      handlers.lost({ ...this.#end, jobs: 0 })
      return true
    }
    if (!this.#channel.send(frame(id))) return false
    this.#pending.set(id, { work, over: () => ((ended = true), over?.abort(OVER)), settle: handlers.settle, lost: handlers.lost })
    handlers.started(work)
    return true
  }

  #hookId = 0

  #hook(milliseconds: number, what: string, frame: (id: number) => object, answers: readonly FromSandbox['t'][]): Promise<FromSandbox> {
    const timer = setTimeout(() => this.end('unresponsive', `${what} did not finish in time`), milliseconds)
    return new Promise<FromSandbox>((resolve, reject) => {
      this.#begin('hook', () => this.#options.logger, frame, {
        started: (work) => (this.#hookId = work.id),
        settle: (answer) => {
          if (!answers.includes(answer.t)) return false
          resolve(answer)
          return true
        },
        lost: (end) =>
          reject(new XCoreError('sandbox_boot_failed', `the sandbox ended in ${what}: ${end.message}${this.#log.lastLines()}`)),
      })
    }).finally(() => clearTimeout(timer))
  }

  // The process ends soon after; its exit tells how.
  #wireClosed(): void {
    if (this.#end !== null) return
    setTimeout(() => this.end('sandbox_crashed', 'it closed its connection to the host'), 200).unref()
  }

  #exited({ code, signal, error }: Exit): void {
    const how = error !== null ? error.message : signal !== null ? `it was ended by ${signal}` : `it exited with ${code}`
    // V8 aborts when its heap is full.
    const heap =
      this.#log.sawHeapLimit() || signal === 'SIGABRT' || signal === 'SIGTRAP' || signal === 'SIGILL' || code === 134 || code === 133
    if (heap && this.#log.sawHeapLimit())
      this.end('memory_exceeded', `its JavaScript heap was full (max_memory_mb: ${this.#options.plan.maxMemoryMb})`)
    else this.end('sandbox_crashed', `${how}${this.#log.lastLines()}`)
  }
}
