import { fieldsOf, listOf, textOf, textOrNull } from './read.ts'

/** Why a call was refused, in words. */
export interface Problem {
  /** 0: nothing answered. */
  readonly status: number
  /** Empty: found by the page itself. */
  readonly code: string
  readonly message: string
  /** Further lines: what was wrong where, what to do. */
  readonly notes: readonly string[]
}

/** Of an answer that is not 2xx. `body`: undefined when it was not JSON, as from a proxy in between. */
export function problemOf(status: number, body: unknown): Problem {
  const fields = fieldsOf(body)
  const errors = listOf(fields['errors'], (error) =>
    [textOf(error['path']), textOf(error['message'])].filter((part) => part !== '').join(': '),
  )
  const correlation = textOrNull(fields['correlation_id'])
  return {
    status,
    code: textOrNull(fields['code']) ?? `http_${status}`,
    message: textOrNull(fields['detail']) ?? textOrNull(fields['title']) ?? `The answer was HTTP ${status} without an explanation.`,
    notes: [...errors, ...(correlation === null ? [] : [`correlation_id ${correlation}`]), ...advice(status)],
  }
}

export function unreachable(reason: string): Problem {
  return {
    status: 0,
    code: 'no_answer',
    message: `XCore did not answer (${reason}).`,
    notes: ['Is the process up, and the network? What is shown below may be old.'],
  }
}

function advice(status: number): readonly string[] {
  if (status === 403) return ['Looking needs a key with the scope read, buttons one with operate. “Forget key” lets you enter another one.']
  return []
}
