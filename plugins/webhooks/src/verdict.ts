import { retryAfterSeconds } from './retry-after.ts'

/** What came back from an endpoint. */
export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfter: string | undefined; readonly body: string }
  /** No answer: refused, reset, unknown host, broken TLS. */
  | { readonly kind: 'unreachable'; readonly reason: string }
  /** The address is one this plugin must not talk to. */
  | { readonly kind: 'forbidden'; readonly reason: string }

export type Verdict =
  | { readonly kind: 'delivered'; readonly status: number }
  | { readonly kind: 'retry'; readonly message: string; readonly afterSeconds: number | undefined }
  | { readonly kind: 'rejected'; readonly code: 'endpoint_rejected' | 'endpoint_forbidden'; readonly message: string }

/**
 * Decides what an answer means. 2xx: delivered. 408, 429, 5xx and no answer: again, after `Retry-After` when the endpoint
 * names it. Everything else is final; redirects too, as they are not followed.
 */
export function judge(answer: Answer, now: Date): Verdict {
  switch (answer.kind) {
    case 'forbidden':
      return { kind: 'rejected', code: 'endpoint_forbidden', message: answer.reason }
    case 'unreachable':
      return { kind: 'retry', message: `the endpoint could not be reached: ${answer.reason}`, afterSeconds: undefined }
    case 'answered':
      return judgeStatus(answer.status, answer.retryAfter, answer.body, now)
  }
}

function judgeStatus(status: number, retryAfter: string | undefined, body: string, now: Date): Verdict {
  if (status >= 200 && status < 300) return { kind: 'delivered', status }
  const said = body === '' ? '' : `: ${body}`
  if (status === 408 || status === 429 || status >= 500) {
    return { kind: 'retry', message: `the endpoint answered ${status}${said}`, afterSeconds: retryAfterSeconds(retryAfter, now) }
  }
  const hint = status >= 300 && status < 400 ? ' (redirects are not followed: register the final URL)' : ''
  return { kind: 'rejected', code: 'endpoint_rejected', message: `the endpoint answered ${status}${hint}${said}` }
}
