import type { ErrorCode } from '../../../libs/errors/index.ts'
import type { Endpoint } from '../handler.ts'
import { CALL_CODES, KEY_CODES, PROBLEM, answer, problems } from './responses.ts'
import { json, ref, type Node } from './schemas.ts'

export const CALL_HEADERS: readonly Node[] = [
  { name: 'Prefer', in: 'header', description: '`wait=SECONDS` (at most 60): answer the outcome', schema: { type: 'string' } },
  { name: 'Idempotency-Key', in: 'header', schema: { type: 'string', minLength: 1, maxLength: 255 } },
]
export const SECURITY: readonly Node[] = [{ bearer: [] }, { pluginKey: [] }]

/** What is known of an endpoint beyond its line in the router. An endpoint that is not here is described in general terms. */
interface Told {
  readonly status?: string
  readonly schema?: string
  readonly query?: readonly string[]
  readonly body?: Node
  readonly codes?: readonly ErrorCode[]
}

const JOB_QUERY = [
  'plugin',
  'kind',
  'name',
  'state',
  'error_code',
  'error_fingerprint',
  'correlation_id',
  'replay_id',
  'since',
  'until',
  'limit',
  'cursor',
]
const FAILURE_QUERY = ['plugin', 'name', 'error_code', 'since', 'until', 'limit']
const EVENT: Node = {
  required: true,
  content: {
    'application/cloudevents+json': { schema: ref('CloudEvent') },
    'application/cloudevents-batch+json': { schema: { type: 'array', items: ref('CloudEvent') } },
  },
}
const TOLD: Readonly<Record<string, Told>> = {
  'POST /ipc/:plugin/:action': { status: '202', schema: 'Accepted', body: json(callSchema({ type: 'object' })), codes: CALL_CODES },
  'POST /events': {
    status: '202',
    schema: 'Emitted',
    body: EVENT,
    codes: ['invalid_json', 'bad_request', 'payload_too_large', 'idempotency_mismatch', 'not_ready'],
  },
  'GET /jobs': { schema: 'JobPage', query: JOB_QUERY, codes: ['bad_request'] },
  'GET /jobs/failures': { query: FAILURE_QUERY, codes: ['bad_request'] },
  'GET /jobs/:id': { schema: 'Job', codes: ['not_found'] },
  'GET /jobs/:id/events': { schema: 'JobHistory', codes: ['not_found'] },
  'POST /jobs/:id/cancel': {
    schema: 'Job',
    body: json({ type: 'object', properties: { reason: { type: 'string', maxLength: 1000 } }, additionalProperties: false }),
    codes: ['not_found', 'job_finished', 'bad_request'],
  },
  'POST /jobs/:id/replay': { status: '202', codes: ['not_found', 'job_not_finished', 'replay_unsafe', 'validation_error', 'bad_request'] },
  'POST /events/:id/replay': { status: '202', codes: ['not_found', 'nothing_to_replay', 'bad_request'] },
  'POST /replays': { status: '201', codes: ['bad_request', 'replay_exists', 'nothing_to_replay'] },
  'GET /replays/:id': { codes: ['not_found'] },
  'GET /admin/plugins': { schema: 'PluginList' },
  'GET /admin/plugins/:name': { schema: 'Plugin', codes: ['not_found'] },
  'GET /admin/plugins/:name/versions': { schema: 'PluginVersions' },
  'GET /admin/queues': { schema: 'QueueList' },
  'GET /admin/schedules': { schema: 'ScheduleList', query: ['plugin'], codes: ['bad_request'] },
  'POST /admin/schedules/:plugin/:id/pause': { schema: 'Schedule', codes: ['not_found'] },
  'POST /admin/schedules/:plugin/:id/resume': { schema: 'Schedule', codes: ['not_found'] },
  'GET /livez': { schema: 'Health' },
  'GET /readyz': { schema: 'Health', query: ['verbose'], codes: ['not_ready'] },
}

/** Answers that are not JSON. */
const TEXTS: Readonly<Record<string, Node>> = {
  '/metrics': { description: 'Prometheus text', content: { 'text/plain': { schema: { type: 'string' } } } },
  '/console': { description: 'The page', content: { 'text/html': { schema: { type: 'string' } } } },
}

export function platformOperation(endpoint: Endpoint, needsKeys: boolean): Node {
  const { method, path, summary, scope } = endpoint
  const told = TOLD[`${method} ${path}`] ?? {}
  const guarded = needsKeys && scope !== null
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map((match) => ({ name: match[1] ?? '', in: 'path', required: true, schema: { type: 'string' } })),
    ...(told.query ?? []).map((name) => ({ name, in: 'query', schema: { type: 'string' } })),
    ...(path.startsWith('/ipc/') ? CALL_HEADERS : []),
  ]
  const success =
    told.schema !== undefined
      ? answer('Done', ref(told.schema))
      : path in TEXTS
        ? TEXTS[path]
        : { description: 'Done', ...json({ type: 'object' }) }
  return {
    tags: ['platform'],
    summary,
    operationId: `platform.${method.toLowerCase()}${path.replaceAll(/[/:.]+/g, '_')}`,
    ...(parameters.length > 0 && { parameters }),
    ...(told.body !== undefined && { requestBody: told.body }),
    responses: {
      ...(path.startsWith('/ipc/') && { '200': answer('The outcome, with `Prefer: wait`', ref('Outcome')) }),
      [told.status ?? '200']: success,
      ...problems([...(guarded ? KEY_CODES : []), ...(told.codes ?? [])]),
      default: PROBLEM,
    },
    ...(guarded && { security: SECURITY, description: `Needs the scope \`${scope}\`.` }),
  }
}

/** The body of a call. */
export function callSchema(payload: object): Node {
  return {
    type: 'object',
    properties: { payload, priority: { type: 'integer', minimum: 0, maximum: 100 }, delay_seconds: { type: 'number', minimum: 0 } },
    additionalProperties: false,
  }
}
