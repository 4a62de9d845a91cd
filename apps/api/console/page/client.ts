import { CALLS, addressOf, type CallName } from '../model/calls.ts'
import { problemOf, unreachable, type Problem } from '../model/problem.ts'
import type { KeyStore } from './key.ts'

const READ_MS = 15_000
/** Commands wait for every process of XCore, up to 25 s. */
const COMMAND_MS = 40_000

/** A call that brought no 2xx. */
export class Refused extends Error {
  readonly problem: Problem
  readonly body: unknown
  constructor(problem: Problem, body?: unknown) {
    super(problem.message)
    this.problem = problem
    this.body = body
  }
}

export interface CallOptions {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: string
  /** Of POST; `{}` when there is nothing to say. */
  readonly body?: object
  readonly signal?: AbortSignal
}

export interface Client {
  /** The JSON of a 2xx answer. Throws Refused. */
  call(name: CallName, options?: CallOptions): Promise<unknown>
  /** The server's time, by what its answers say; ages must not depend on the clock of the reader. */
  now(): number
}

/** `askKey`: resolves with the key that somebody typed, or null. Asked once for all calls that need it. */
export function createClient(keys: KeyStore, askKey: (refused: Problem) => Promise<string | null>): Client {
  let aheadMs = 0
  let asking: Promise<string | null> | undefined
  const send = async (name: CallName, options: CallOptions): Promise<{ readonly status: number; readonly body: unknown }> => {
    const address = addressOf(name, options.params ?? {}, options.query ?? '')
    if (address === null)
      throw new Refused(problemOf(404, { code: 'not_found', detail: 'No such thing can exist: its name cannot be part of a path.' }))
    const { method } = CALLS[name]
    const key = keys.get()
    const limit = AbortSignal.timeout(method === 'GET' ? READ_MS : COMMAND_MS)
    const response = await fetch(new URL(address, document.baseURI), {
      method,
      cache: 'no-store',
      redirect: 'error',
      headers: {
        Accept: 'application/json',
        ...(key !== null && { Authorization: `Bearer ${key}` }),
        ...(method === 'POST' && { 'Content-Type': 'application/json' }),
      },
      ...(method === 'POST' && { body: JSON.stringify(options.body ?? {}) }),
      signal: options.signal === undefined ? limit : AbortSignal.any([options.signal, limit]),
    })
    const date = Date.parse(response.headers.get('date') ?? '')
    // The header counts whole seconds.
    if (!Number.isNaN(date)) aheadMs = Math.abs(date - Date.now()) < 2_000 ? 0 : date - Date.now()
    return { status: response.status, body: await jsonOf(response) }
  }
  const call = async (name: CallName, options: CallOptions = {}): Promise<unknown> => {
    const used = keys.get()
    const { status, body } = await send(name, options).catch((error: unknown) => {
      if (error instanceof Refused || options.signal?.aborted === true) throw error
      throw new Refused(unreachable(error instanceof Error ? error.message : String(error)))
    })
    if (status >= 200 && status < 300) return body
    const problem = problemOf(status, body)
    if (status !== 401) throw new Refused(problem, body)
    // Somebody may have entered another key while this call was under way.
    if (keys.get() !== used) return call(name, options)
    asking ??= askKey(problem).finally(() => (asking = undefined))
    const given = await asking
    if (given === null) throw new Refused(problem, body)
    keys.set(given)
    return call(name, options)
  }
  return { call, now: () => Date.now() + aheadMs }
}

/** Undefined: not JSON. */
async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json()
  } catch {
    return undefined
  }
}
