import type { IncomingHttpHeaders } from 'node:http'
import { CloudEvent } from 'cloudevents'
import { XCoreError, messageOf, type Issue } from '../../libs/errors/index.ts'
import type { Json, JsonObject } from '../../libs/event-log/index.ts'
import { decodeUtf8, isJsonType, mediaTypeOf, parseJson } from './body.ts'

/** A CloudEvent 1.0 as far as XCore carries it. Other attributes (subject, dataschema, extensions) are checked and left behind. */
export interface ReceivedEvent {
  readonly id: string
  /** Becomes the event's name. */
  readonly type: string
  readonly source: string
  readonly time: Date | undefined
  /** JSON as it is; text as a string; bytes as `{data_base64, datacontenttype}`; null for none. */
  readonly data: Json
  /** Of the distributed tracing extension, not checked. */
  readonly traceparent: string | undefined
}

export type ReceivedEvents =
  { readonly batch: false; readonly event: ReceivedEvent } | { readonly batch: true; readonly events: readonly ReceivedEvent[] }

const STRUCTURED = 'application/cloudevents+json'
const BATCH = 'application/cloudevents-batch+json'

/**
 * Reads the three content modes of the CloudEvents HTTP binding. Throws `bad_request` with an issue for each event that is not a
 * CloudEvent 1.0, `invalid_json` for what is not JSON. The checks of URI, timestamp and attribute names are the `cloudevents` package's.
 */
export function receiveEvents(headers: IncomingHttpHeaders, bytes: Buffer): ReceivedEvents {
  const { type, charset } = mediaTypeOf(headers['content-type'])
  if (type === BATCH) return { batch: true, events: batchOf(parseJson(bytes, charset)) }
  if (type === STRUCTURED) return { batch: false, event: checked(objectOf(parseJson(bytes, charset), ''), '') }
  if (type.startsWith('application/cloudevents')) throw bad(`The event format ${type} is not supported: send ${STRUCTURED} or ${BATCH}.`)
  if (Object.keys(headers).some((name) => name.startsWith('ce-'))) {
    return { batch: false, event: checked(binaryEvent(headers, bytes, type, charset), '') }
  }
  if (isJsonType(type) && bytes.length > 0) {
    const body = parseJson(bytes, charset)
    // A client that sends a structured event with the plain JSON type means it well.
    if (!Array.isArray(body) && isObject(body) && 'specversion' in body) return { batch: false, event: checked(body, '') }
  }
  throw bad(
    `The request is not a CloudEvent: send Content-Type: ${STRUCTURED} (or ${BATCH}), or the headers ce-specversion, ce-id, ce-source and ce-type.`,
  )
}

function batchOf(body: Json): readonly ReceivedEvent[] {
  if (!Array.isArray(body)) throw bad('A batch is a JSON array of CloudEvents.')
  return body.map((item: Json, index) => checked(objectOf(item, `/${index}`), `/${index}`))
}

/** Binary mode: attributes are headers, the body is the data. */
function binaryEvent(headers: IncomingHttpHeaders, bytes: Buffer, type: string, charset: string): JsonObject {
  const attributes: Record<string, Json> = {}
  for (const [header, value] of Object.entries(headers)) {
    if (header.startsWith('ce-') && value !== undefined) attributes[header.slice(3)] = headerText(header, String(value))
  }
  if (headers['content-type'] !== undefined) attributes['datacontenttype'] = headers['content-type']
  if (bytes.length === 0) return attributes
  if (type === '' || isJsonType(type)) return { ...attributes, data: parseJson(bytes, charset) }
  if (type.startsWith('text/')) return { ...attributes, data: textData(bytes, charset) }
  return { ...attributes, data_base64: bytes.toString('base64') }
}

/** Header values are percent-encoded UTF-8 (HTTP binding, 3.1.3.2). */
function headerText(header: string, value: string): string {
  let text: string
  try {
    text = decodeURIComponent(value)
  } catch {
    throw bad(`The header ${header} is not percent-encoded UTF-8.`)
  }
  if (/\p{Cc}/u.test(text)) throw bad(`The header ${header} holds a control character.`)
  return text
}

function textData(bytes: Buffer, charset: string): string {
  const text = decodeUtf8(bytes, charset)
  if (text.includes('\u0000')) throw bad('The text of the event holds \\u0000, which cannot be stored.')
  return text
}

const REQUIRED = ['id', 'source', 'type'] as const

/** `at`: where in the body the event is, a JSON pointer. */
function checked(event: JsonObject, at: string): ReceivedEvent {
  if (event['specversion'] !== '1.0') {
    throw bad(`${place(at)}: expected specversion "1.0", found ${JSON.stringify(event['specversion'] ?? null)}.`, [
      { path: `${at}/specversion`, message: 'expected "1.0"' },
    ])
  }
  for (const name of REQUIRED) {
    if (!isName(event[name])) {
      throw bad(`${place(at)}: "${name}" must be a text of 1 to 500 characters without control characters.`, [
        { path: `${at}/${name}`, message: 'expected a text of 1 to 500 characters' },
      ])
    }
  }
  if ('data' in event && 'data_base64' in event) throw bad(`${place(at)}: data and data_base64 exclude each other.`)
  if (typeof event['time'] === 'string' && Number.isNaN(Date.parse(event['time']))) throw badTime(at)
  checkByPackage(event, at)
  const { id, source, type, time, traceparent } = event
  return {
    id: String(id),
    source: String(source),
    type: String(type),
    time: typeof time === 'string' ? new Date(time) : undefined,
    data: dataOf(event),
    traceparent: typeof traceparent === 'string' ? traceparent : undefined,
  }
}

function checkByPackage(event: JsonObject, at: string): void {
  try {
    // The data was walked already; without it the package has less to copy.
    const { data: _data, ...attributes } = event
    void new CloudEvent(attributes, true)
  } catch (error) {
    throw bad(`${place(at)} is not a valid CloudEvent 1.0: ${reasonOf(error)}.`, [{ path: at, message: reasonOf(error) }])
  }
}

/** The package puts the list of its findings into `errors`, each with `instancePath` and `message`. */
function reasonOf(error: unknown): string {
  const found = typeof error === 'object' && error !== null && 'errors' in error ? error.errors : undefined
  const first: unknown = Array.isArray(found) ? found[0] : undefined
  if (typeof first === 'object' && first !== null && 'instancePath' in first && 'message' in first) {
    return `${String(first.instancePath).slice(1) || 'the event'} ${String(first.message)}`
  }
  return messageOf(error).split('\n', 1)[0] ?? ''
}

function dataOf(event: JsonObject): Json {
  const base64 = event['data_base64']
  if (base64 !== undefined) return { data_base64: base64, datacontenttype: event['datacontenttype'] ?? null }
  return event['data'] ?? null
}

function isName(value: Json | undefined): boolean {
  return typeof value === 'string' && value.length > 0 && value.length <= 500 && !/\p{Cc}/u.test(value)
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null
}

function objectOf(value: Json, at: string): JsonObject {
  if (!isObject(value) || Array.isArray(value)) throw bad(`${place(at)}: expected a JSON object.`)
  return value
}

function place(at: string): string {
  return at === '' ? 'The event' : `The event at ${at}`
}

function badTime(at: string): XCoreError {
  return bad(`${place(at)}: "time" must be an RFC 3339 time.`, [{ path: `${at}/time`, message: 'expected an RFC 3339 time' }])
}

function bad(message: string, issues: readonly Issue[] = []): XCoreError {
  return new XCoreError('bad_request', message, { issues })
}
