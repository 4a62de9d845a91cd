import { messageOf } from '../errors/index.ts'
import type { Job } from '../event-log/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { HandlerResult, Invocation, RunnablePlugin } from './plugin-port.ts'

/** How an attempt ended, as seen by the engine. */
export type AttemptEnd =
  | { readonly kind: 'ended'; readonly result: HandlerResult }
  /** The handler was given up; it may still run, but what it returns is ignored. */
  | { readonly kind: 'timed_out' }
  | { readonly kind: 'aborted'; readonly reason: AbortReason }

export type AbortReason = 'cancelled' | 'shutdown'

export interface AttemptOptions {
  readonly plugin: RunnablePlugin
  /** With `attempt` counting the one that runs. */
  readonly job: Job
  readonly timeoutSeconds: number
  readonly startedAt: number
  readonly logger: () => Logger
  readonly whileWaiting?: NonNullable<Invocation['whileWaiting']>
  /** A handler that was given up has come to its end after all. */
  readonly onLateEnd: () => void
}

export interface Attempt {
  readonly ended: Promise<AttemptEnd>
  /** Ends the attempt at once; the handler's signal aborts. */
  abort(reason: AbortReason): void
}

/** Node's timers hold at most 2^31−1 ms. */
const LONGEST_TIMER_MS = 2_147_483_647

/** Runs a handler under its timeout. Never rejects. */
export function startAttempt(options: AttemptOptions): Attempt {
  const { plugin, job, logger } = options
  const controller = new AbortController()
  const timeoutMs = Math.min(options.timeoutSeconds * 1000, LONGEST_TIMER_MS)
  const { promise: ended, resolve } = Promise.withResolvers<AttemptEnd>()
  let over = false

  const end = (how: AttemptEnd, reason?: string) => {
    if (over) return
    over = true
    clearTimeout(timer)
    if (reason !== undefined) controller.abort(new DOMException(reason, how.kind === 'timed_out' ? 'TimeoutError' : 'AbortError'))
    resolve(how)
  }
  const timeUp = `the job's time of ${options.timeoutSeconds} s is up`
  let late = false
  let timer = setTimeout(() => {
    if (plugin.graceMs === undefined) return end({ kind: 'timed_out' }, timeUp)
    late = true
    controller.abort(new DOMException(timeUp, 'TimeoutError'))
    timer = setTimeout(() => end({ kind: 'timed_out' }), plugin.graceMs)
  }, timeoutMs)

  execute()
  return {
    ended,
    abort: (reason) => end({ kind: 'aborted', reason }, reason === 'cancelled' ? 'the job was cancelled' : 'the worker stops'),
  }

  function execute(): void {
    const invocation = {
      job,
      deadline: new Date(options.startedAt + timeoutMs),
      signal: controller.signal,
      ...(options.whileWaiting === undefined ? {} : { whileWaiting: options.whileWaiting }),
      get logger() {
        return logger()
      },
    }
    plugin.execute(invocation).then(finish, (error: unknown) => {
      logger().error({ err: error }, 'the runner of the plugin failed')
      finish({ kind: 'threw', error: { code: 'internal_error', message: `The runner of the plugin failed: ${messageOf(error)}` } })
    })
  }

  function finish(result: HandlerResult): void {
    if (!over && (!late || result.kind === 'interrupted')) return end({ kind: 'ended', result })
    if (!over) end({ kind: 'timed_out' })
    // Whatever it wrote is nobody's any more.
    if (result.kind === 'ok' || result.kind === 'error') void result.transaction?.rollback()
    options.onLateEnd()
  }
}
