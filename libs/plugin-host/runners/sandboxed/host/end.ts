import { XCoreError } from '../../../../errors/index.ts'
import type { Logger } from '../../../../telemetry/logger.ts'

/**
 * Why a sandbox ended. `timeout` is a job's own affair and counts for no suspension; the next five are crashes; `recycled` and `unloaded` are the
 * host's own wish.
 */
export type EndReason =
  | 'timeout'
  | 'memory_exceeded'
  | 'sandbox_protocol_error'
  | 'sandbox_crashed'
  | 'sandbox_boot_failed'
  | 'unresponsive'
  | 'recycled'
  | 'unloaded'

export interface SandboxEnd {
  readonly reason: EndReason
  /** For people. */
  readonly message: string
  /** Jobs that ran when it ended. */
  readonly jobs: number
  /** The one whose work ended it, when that is known. */
  readonly blamed: number | null
}

/** The catalogue's code of an end. */
export function codeOf(
  reason: EndReason,
): 'timeout' | 'memory_exceeded' | 'sandbox_protocol_error' | 'sandbox_crashed' | 'sandbox_boot_failed' {
  switch (reason) {
    case 'timeout':
    case 'memory_exceeded':
    case 'sandbox_protocol_error':
    case 'sandbox_boot_failed':
      return reason
    default:
      return 'sandbox_crashed'
  }
}

/** What the sandboxed code works on: a job, a request or a hook. What it asks of the host is bound to one of these. */
export interface Work {
  readonly id: number
  readonly kind: 'job' | 'route' | 'hook'
  /** Aborts when the work ends. */
  readonly signal: AbortSignal
  readonly logger: Logger
}

/** Only what was meant for plugins is told; anything else is a fault of the host and is logged. */
export function toldError(thrown: unknown, op: string, logger: Logger): object {
  if (thrown instanceof XCoreError) {
    const { code, message, issues, retryAfterSeconds, details } = thrown
    return {
      code,
      message,
      ...(issues.length > 0 ? { issues } : {}),
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      ...(Object.keys(details).length > 0 ? { details } : {}),
    }
  }
  logger.error({ err: thrown, op }, 'a call of a sandboxed plugin failed in the host')
  return { code: 'internal_error', message: `${op} failed in the host; its log holds the cause` }
}
