import { XCoreError } from '../../libs/errors/index.ts'
import type { Logger } from '../../libs/telemetry/logger.ts'

/** Why a request was refused for its key; the label of the metric. */
export type AuthFailure = 'missing' | 'unknown' | 'scope' | 'cross_site'

/** Thrown by the check of keys. */
export class AuthRefused extends XCoreError {
  readonly reason: AuthFailure
  /** Of the key, when it is known. */
  readonly caller: string | undefined

  constructor(reason: AuthFailure, message: string, caller?: string) {
    super(reason === 'missing' || reason === 'unknown' ? 'unauthorized' : 'permission_denied', message)
    this.reason = reason
    this.caller = caller
  }
}

export interface FailedTry {
  readonly refused: AuthRefused
  readonly address: string
  readonly route: string
}

const LINES = 5
const PERIOD_MS = 10_000

/** Counts every failed try, and logs the first 5 of each 10 seconds: whoever guesses keys must not fill the disk. */
export function createAuthWatch(
  metrics: { readonly authFailuresTotal: { inc(labels: { reason: string }): void } },
  logger: Pick<Logger, 'warn'>,
  now: () => number = () => performance.now(),
): (failed: FailedTry) => void {
  let since = -Infinity
  let seen = 0
  return ({ refused, address, route }) => {
    const { reason, caller } = refused
    metrics.authFailuresTotal.inc({ reason })
    if (now() - since >= PERIOD_MS) {
      if (seen > LINES) logger.warn({ left_out: seen - LINES }, 'more requests were refused for their key')
      since = now()
      seen = 0
    }
    seen += 1
    if (seen <= LINES) logger.warn({ reason, address, route, ...(caller !== undefined && { caller }) }, 'a request was refused for its key')
  }
}
