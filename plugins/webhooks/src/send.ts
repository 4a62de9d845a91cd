import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { RequestOptions } from 'node:https'
import { checkUrl, ForbiddenAddress, publicLookup } from './address.ts'
import type { Answer } from './verdict.ts'

/** How much of an answer's body is read, in bytes, and kept for the job's history. */
const MAX_ANSWER_BYTES = 1024

export interface Post {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly allowPrivate: boolean
  readonly signal: AbortSignal
}

/**
 * One POST. Follows no redirect and reads at most MAX_ANSWER_BYTES of the answer.
 * Rejects only when `signal` aborts (with its reason); every other end is an Answer.
 */
export async function post({ url: text, headers, body, allowPrivate, signal }: Post): Promise<Answer> {
  signal.throwIfAborted()
  // Again at every attempt: what is allowed may have changed since the endpoint was added.
  const checked = checkUrl(text, allowPrivate)
  if (!checked.ok) return { kind: 'forbidden', reason: checked.reason }
  const { url } = checked
  const options: RequestOptions = {
    method: 'POST',
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    signal,
    ...(allowPrivate ? {} : { lookup: publicLookup }),
  }
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options)
  request.on('error', (error) => {
    if (signal.aborted) reject(signal.reason)
    else if (error instanceof ForbiddenAddress) resolve({ kind: 'forbidden', reason: error.message })
    else resolve({ kind: 'unreachable', reason: error.message || ('code' in error ? String(error.code) : error.name) })
  })
  request.on('response', (response) => {
    const chunks: Buffer[] = []
    let length = 0
    const finish = () => {
      const retryAfter = response.headers['retry-after']
      resolve({ kind: 'answered', status: response.statusCode ?? 0, retryAfter, body: readable(Buffer.concat(chunks)) })
      // Also ends an answer that never would.
      request.destroy()
    }
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
      if (length >= MAX_ANSWER_BYTES) finish()
    })
    response.on('end', finish)
    // The status is known; a body that breaks off changes nothing, unless it was us who gave up.
    response.on('error', () => (signal.aborted ? reject(signal.reason) : finish()))
  })
  request.end(body)
  return promise
}

/** For people: no control characters (Postgres also refuses NUL), one line, cut to the limit. */
function readable(bytes: Buffer): string {
  return bytes
    .subarray(0, MAX_ANSWER_BYTES)
    .toString('utf8')
    .replace(/[\u0000-\u001f\u007f]+/g, ' ')
    .trim()
}
