import { AsyncLocalStorage } from 'node:async_hooks'
import { XCoreError, isErrorCode } from '../../../../errors/index.ts'
import type { Channel } from '../wire/channel.ts'
import type { ReplyFrame } from '../wire/frames.ts'

/** Which job, route or hook the running code belongs to. Follows it through its awaits. */
export const caller = new AsyncLocalStorage<number>()

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Asks the host. A reply finds its call by a number that is never used again. */
export class Remote {
  readonly #channel: Channel
  readonly #waiting = new Map<number, Waiting>()
  #last = 0

  constructor(channel: Channel) {
    this.#channel = channel
  }

  /** Rejects with the XCoreError that the host answers. */
  call(op: string, args: unknown): Promise<unknown> {
    const owner = caller.getStore()
    if (owner === undefined) {
      return Promise.reject(
        new XCoreError(
          'permission_denied',
          `${op}: a sandboxed plugin may ask for this while a job, a route or a hook of it runs, found none`,
        ),
      )
    }
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      if (this.#channel.send({ t: 'call', id, for: owner, op, args })) return
      this.#waiting.delete(id)
      reject(new XCoreError('payload_too_large', `${op}: what is sent to the host must be less than 8 MiB of JSON`))
    })
  }

  reply(frame: ReplyFrame): void {
    const waiting = this.#waiting.get(frame.id)
    if (waiting === undefined) return
    this.#waiting.delete(frame.id)
    if (frame.ok) waiting.resolve(frame.value)
    else waiting.reject(errorOf(frame.error))
  }
}

function errorOf({ code, message, issues, retryAfterSeconds, details }: Extract<ReplyFrame, { ok: false }>['error']): Error {
  if (!isErrorCode(code)) return Object.assign(new Error(message), { code })
  return new XCoreError(code, message, {
    ...(issues === undefined ? {} : { issues }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(typeof details === 'object' && details !== null ? { details: { ...details } } : {}),
  })
}
