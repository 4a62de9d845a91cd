import { messageOf } from '../../libs/errors/index.ts'
import type { Logger } from '../../libs/telemetry/logger.ts'
import { EXIT } from './exit.ts'
import { judgeStrayError } from './stray-errors.ts'
import type { StrayError } from './stray-errors.ts'

/** Something started that runs until it is stopped. */
export interface Service {
  /** Stops taking work, finishes or hands back what it holds within `deadlineMs`, closes everything in reverse order of opening. */
  stop(deadlineMs: number): Promise<void>
  /** Resolves when it can't go on, e.g. because its database server ended. Default: never. */
  readonly broken?: Promise<Error>
}

export interface RunServiceOptions {
  readonly logger: Logger
  readonly pluginsDir: string
  /** The plugin whose asynchronous context is current; in the handlers of uncaught errors it is that of the error. */
  readonly currentPlugin: () => string | undefined
  /** Gets a signal that aborts when the process is told to stop before it is up. */
  readonly start: (signal: AbortSignal) => Promise<Service>
  /** Default: 10,000. */
  readonly deadlineMs?: number
}

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
/** One Ctrl-C may arrive twice: from the terminal, and forwarded by npm or the launcher. Only a later or another signal means "now". */
const SAME_KEY_PRESS_MS = 250
/** For onUnload hooks and closing, after the deadline for running jobs. */
const CLOSING_MS = 15_000

type StopReason =
  { readonly kind: 'signal'; readonly signal: string } | { readonly kind: 'fault'; readonly error: unknown; readonly what: string }

/**
 * Starts a service, runs it until a signal or a fault, and stops it. Resolves with the exit code: 0 after a signal, 1 after a
 * fault. A second signal ends the process at once with 1. Rejects when the start fails (everything opened is closed by then).
 */
export async function runService(options: RunServiceOptions): Promise<number> {
  const { logger } = options
  const deadlineMs = options.deadlineMs ?? 10_000
  const asked = Promise.withResolvers<StopReason>()
  const starting = new AbortController()
  const release = watchProcess(options, (reason) => {
    asked.resolve(reason)
    starting.abort(new Error(reason.kind === 'signal' ? `told to stop by ${reason.signal}` : messageOf(reason.error)))
  })
  try {
    let service: Service
    try {
      service = await options.start(starting.signal)
    } catch (error) {
      if (!starting.signal.aborted) throw error
      return exitCodeAfter(await asked.promise, logger)
    }
    const broken = service.broken?.then((error): StopReason => ({ kind: 'fault', error, what: 'The process cannot go on' }))
    const reason = await Promise.race(broken === undefined ? [asked.promise] : [asked.promise, broken])
    const code = exitCodeAfter(reason, logger)
    return (await stopWithin(service, deadlineMs, logger)) ? code : EXIT.failed
  } finally {
    release()
  }
}

function exitCodeAfter(reason: StopReason, logger: Logger): number {
  if (reason.kind === 'signal') {
    logger.info({ signal: reason.signal }, `Stopping on ${reason.signal}`)
    return EXIT.ok
  }
  logger.fatal({ err: reason.error }, `${reason.what}: stopping`)
  return EXIT.failed
}

async function stopWithin(service: Service, deadlineMs: number, logger: Logger): Promise<boolean> {
  const expired = Promise.withResolvers<'expired'>()
  const timer = setTimeout(() => expired.resolve('expired'), deadlineMs + CLOSING_MS)
  try {
    const ended = await Promise.race([service.stop(deadlineMs), expired.promise])
    if (ended === 'expired') {
      logger.fatal(`Not everything was closed within ${(deadlineMs + CLOSING_MS) / 1000} s: ending anyway`)
      return false
    }
    logger.info('Stopped')
    return true
  } catch (error) {
    logger.error({ err: error }, 'Stopped, but not cleanly')
    return false
  } finally {
    clearTimeout(timer)
  }
}

/** Listens to signals and uncaught errors; returns how to stop listening. */
function watchProcess(options: RunServiceOptions, stop: (reason: StopReason) => void): () => void {
  const { logger } = options
  let first: { readonly signal: string; readonly at: number } | undefined
  const onSignal = (signal: NodeJS.Signals) => {
    if (first === undefined) {
      first = { signal, at: performance.now() }
      stop({ kind: 'signal', signal })
    } else if (signal !== first.signal || performance.now() - first.at > SAME_KEY_PRESS_MS) {
      logger.fatal({ signal }, `A second ${signal}: ending at once`)
      process.exit(EXIT.failed)
    }
  }
  const onStray = (stray: StrayError) => {
    const culprit = judgeStrayError(stray, options.pluginsDir)
    if (culprit.side === 'platform') {
      stop({ kind: 'fault', error: stray.error, what: stray.kind === 'exception' ? 'Uncaught exception' : 'Unhandled rejection' })
      return
    }
    const hint =
      stray.kind === 'exception'
        ? 'A plugin threw outside of any handler (a timer, an emitter): catch it there. The process goes on.'
        : 'A promise of a plugin was rejected and nobody handled it: await it, or give it a catch. The process goes on.'
    logger.error({ err: stray.error, plugin: culprit.plugin }, hint)
  }
  const onException = (error: unknown) => onStray({ kind: 'exception', error, plugin: options.currentPlugin() })
  const onRejection = (error: unknown) => onStray({ kind: 'rejection', error, plugin: options.currentPlugin() })

  // Who started the process and read its log is gone. Uncaught, this error would be logged, and so raise itself again.
  const onOutputLost = (error: Error) => stop({ kind: 'fault', error, what: 'The log can no longer be written' })

  for (const signal of STOP_SIGNALS) process.on(signal, onSignal)
  process.stdout.on('error', onOutputLost)
  process.stderr.on('error', () => {})
  process.on('uncaughtException', onException)
  process.on('unhandledRejection', onRejection)
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal)
    // The streams' listeners stay: the last lines of a process must not end it before its exit code is set.
    process.off('uncaughtException', onException)
    process.off('unhandledRejection', onRejection)
  }
}
