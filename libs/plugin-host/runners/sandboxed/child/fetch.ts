import { checkedFetch } from '../../../../sdk/fetch.ts'
import { record } from './platform.ts'
import type { Remote } from './remote.ts'

/** Statuses that must not have a body. */
const EMPTY = [101, 204, 205, 304]

/** `fetch` as the web has it, done by the host, which checks each hop. Bodies go and come whole. */
export function remoteFetch(remote: Remote): typeof globalThis.fetch {
  return async (input, init = {}) => {
    const redirect = init.redirect ?? (input instanceof Request ? input.redirect : 'follow')
    if (redirect !== 'manual')
      return checkedFetch(() => {}, input instanceof URL || typeof input === 'string' ? input : new Request(input), init)
    return hop(remote, new Request(input, init))
  }
}

async function hop(remote: Remote, request: Request): Promise<Response> {
  const body = request.body === null ? null : Buffer.from(await request.arrayBuffer())
  const args = {
    url: request.url,
    method: request.method,
    headers: [...request.headers],
    body: body === null ? null : body.toString('base64'),
  }
  request.signal.throwIfAborted()
  const answer = record(await untilAborted(remote.call('fetch', args), request.signal))
  const status = Number(answer['status'])
  const headers = new Headers()
  const told: unknown = answer['headers']
  if (Array.isArray(told)) for (const pair of told) if (Array.isArray(pair)) headers.append(String(pair[0]), String(pair[1]))
  const bytes = Buffer.from(String(answer['body']), 'base64')
  const response = new Response(EMPTY.includes(status) ? null : bytes, { status, statusText: String(answer['statusText']), headers })
  Object.defineProperty(response, 'url', { value: request.url })
  return response
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
