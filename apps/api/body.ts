import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { getRawBody } from 'raw-body'
import { XCoreError, messageOf } from '../../libs/errors/index.ts'
import { refusal } from '../../libs/event-log/index.ts'
import type { Json } from '../../libs/event-log/index.ts'

/** The media type in lower case without parameters, and its charset; both '' when not given. */
export interface MediaType {
  readonly type: string
  readonly charset: string
}

const NO_TYPE: MediaType = { type: '', charset: '' }
const PLAIN_JSON: MediaType = { type: 'application/json', charset: '' }

export function mediaTypeOf(header: string | undefined): MediaType {
  if (header === 'application/json') return PLAIN_JSON
  if (header === undefined || header === '') return NO_TYPE
  const [type = '', ...parameters] = header.split(';')
  const charset = parameters
    .map((parameter) => /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/i.exec(parameter)?.[1])
    .find((found) => found !== undefined)
  return { type: type.trim().toLowerCase(), charset: charset?.toLowerCase() ?? '' }
}

export function isJsonType(type: string): boolean {
  return type === 'application/json' || type.endsWith('+json')
}

/**
 * The whole body. Throws XCoreError `payload_too_large` (also for chunked bodies, as soon as they pass the limit) and `bad_request`
 * (compressed, or cut off).
 */
export async function readBody(req: IncomingMessage, limit: number): Promise<Buffer> {
  const encoding = req.headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new XCoreError('bad_request', `Content-Encoding "${encoding}" is not supported: send the body uncompressed.`)
  }
  try {
    return await getRawBody(req, { limit, length: req.headers['content-length'] ?? null })
  } catch (error) {
    throw readError(error, limit)
  }
}

function readError(error: unknown, limit: number): XCoreError {
  const type = typeof error === 'object' && error !== null && 'type' in error ? error.type : undefined
  if (type === 'entity.too.large') {
    return new XCoreError(
      'payload_too_large',
      `The body is larger than ${limit} bytes (limits.payload_bytes): send less, or raise the limit.`,
    )
  }
  return new XCoreError('bad_request', `The body could not be read: ${messageOf(error)}.`, { cause: error })
}

/** UTF-8 bytes as text. Throws `bad_request` for another charset, `invalid_json` for bytes that are not UTF-8. */
export function decodeUtf8(bytes: Buffer, charset: string): string {
  if (charset !== '' && charset !== 'utf-8' && charset !== 'utf8' && charset !== 'us-ascii') {
    throw new XCoreError('bad_request', `Charset "${charset}" is not supported: send UTF-8.`)
  }
  if (!isUtf8(bytes)) throw new XCoreError('invalid_json', 'The body is not valid UTF-8.')
  return bytes.toString('utf8')
}

/** Bytes to JSON. Throws `invalid_json` for what is not JSON or holds what XCore refuses (see json-check.ts). */
export function parseJson(bytes: Buffer, charset: string): Json {
  const text = decodeUtf8(bytes, charset)
  const value = parsed(text)
  const refused = refusal(value)
  if (refused === undefined) return value
  throw new XCoreError('invalid_json', `The body holds something that is not accepted, at "${refused.path}": ${refused.reason}.`, {
    issues: [{ path: refused.path, message: refused.reason }],
  })
}

/** The one parse boundary: what JSON.parse returns is JSON. */
function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    throw new XCoreError('invalid_json', `The body is not JSON: ${messageOf(error)}.`)
  }
}

/**
 * What curl and fetch say of a body when nobody told them: read as JSON. Not from a browser's page (it sends Origin): those two types are
 * all that a page of another site can send without being asked for permission first (CORS), so they must not reach a local XCore.
 */
const TYPES_OF_TOOLS: ReadonlySet<string> = new Set(['application/x-www-form-urlencoded', 'text/plain'])

/** The JSON body of a request to the platform's own API; undefined when there is none. */
export async function readJson(req: IncomingMessage, limit: number): Promise<Json | undefined> {
  const media = mediaTypeOf(req.headers['content-type'])
  const bytes = await readBody(req, limit)
  if (bytes.length === 0) return undefined
  if (media.type !== '' && !isJsonType(media.type) && !(TYPES_OF_TOOLS.has(media.type) && req.headers.origin === undefined)) {
    throw new XCoreError('bad_request', `Expected Content-Type: application/json, found "${media.type}".`)
  }
  return parseJson(bytes, media.charset)
}
