import type { ErrorCode } from '../../../libs/errors/index.ts'
import { statusOfError } from '../problem.ts'
import { json, ref, type Node } from './schemas.ts'

/** Codes that every call with a key may be answered with. */
export const KEY_CODES: readonly ErrorCode[] = ['unauthorized', 'permission_denied']
/** Codes of a call that was refused. */
export const CALL_CODES: readonly ErrorCode[] = [
  'invalid_json',
  'bad_request',
  'not_found',
  'unknown_action',
  'payload_too_large',
  'validation_error',
  'idempotency_mismatch',
  'rate_limit_exceeded',
  'not_ready',
  'internal_error',
]
/** Codes of a job that did not succeed. A plugin adds codes of its own. */
export const OUTCOME_CODES: readonly ErrorCode[] = [
  'handler_error',
  'invalid_result',
  'no_handler',
  'worker_lost',
  'timeout',
  'cancelled',
  'permission_denied',
]

const PROBLEM_JSON = 'application/problem+json'

export const PROBLEM: Node = { description: 'An error (RFC 9457)', content: { [PROBLEM_JSON]: { schema: ref('Problem') } } }

/** One response per status of these codes. */
export function problems(codes: readonly ErrorCode[]): Record<string, Node> {
  return mapped(codes, (listed) => ({ [PROBLEM_JSON]: { schema: problemWith(listed) } }))
}

/** Of an action: what refuses the call is a problem, what the job ended with is an outcome. */
export function callProblems(refused: readonly ErrorCode[], outcomes: readonly ErrorCode[]): Record<string, Node> {
  return mapped([...refused, ...outcomes], (listed) => {
    const refusals = listed.filter((code) => refused.includes(code))
    return {
      ...(refusals.length === 0 ? {} : { [PROBLEM_JSON]: { schema: problemWith(refusals) } }),
      ...(listed.some((code) => outcomes.includes(code)) ? { 'application/json': { schema: ref('ErrorOutcome') } } : {}),
    }
  })
}

function mapped(codes: readonly ErrorCode[], contentOf: (codes: readonly ErrorCode[]) => Node): Record<string, Node> {
  const byStatus = Map.groupBy(new Set(codes), (code) => String(statusOfError({ code })))
  const entries = [...byStatus].map(([status, listed]): [string, Node] => [
    status,
    {
      description: listed.map((code) => `\`${code}\``).join(', '),
      ...(status === '429' || status === '503' ? { headers: { 'Retry-After': { schema: { type: 'integer' } } } } : {}),
      content: contentOf(listed),
    },
  ])
  return Object.fromEntries(entries)
}

function problemWith(codes: readonly ErrorCode[]): Node {
  return { allOf: [ref('Problem'), { type: 'object', properties: { code: { enum: codes } } }] }
}

export function answer(description: string, schema: Node): Node {
  return { description, ...json(schema) }
}
