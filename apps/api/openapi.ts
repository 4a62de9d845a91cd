import type { PluginStatus } from '../../libs/plugin-host/port.ts'
import type { Endpoint } from './handler.ts'

type Node = Readonly<Record<string, unknown>>

/** An OpenAPI 3.1 document of the platform's endpoints and of every declared action of the plugins that are ready. */
export function openApiDocument(
  endpoints: readonly Endpoint[],
  plugins: readonly PluginStatus[],
  version: string,
  needsKeys: boolean,
): Node {
  const paths: Record<string, Node> = {}
  for (const endpoint of endpoints) {
    const path = endpoint.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: endpointOperation(endpoint, needsKeys) }
  }
  const ready = plugins.filter((plugin) => plugin.state === 'ready')
  for (const plugin of ready) {
    for (const action of plugin.actions) {
      paths[`/ipc/${plugin.name}/${encodeURIComponent(action.name)}`] = { post: actionOperation(plugin.name, action, needsKeys) }
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'XCore', version, description: 'Plugins whose actions and events run as durable jobs.' },
    tags: [...new Set(['platform', ...ready.map((plugin) => plugin.name)])].map((name) => ({ name })),
    paths,
    components: { schemas: SCHEMAS, securitySchemes: SECURITY_SCHEMES },
  }
}

function endpointOperation(endpoint: Endpoint, needsKeys: boolean): Node {
  const names = [...endpoint.path.matchAll(/:(\w+)/g)].map((match) => match[1] ?? '')
  const parameters = names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
  return {
    tags: ['platform'],
    summary: endpoint.summary,
    ...(parameters.length > 0 && { parameters: endpoint.path.startsWith('/ipc/') ? [...parameters, ...CALL_HEADERS] : parameters }),
    ...requestBodyOf(endpoint),
    responses: { [successOf(endpoint)]: { description: 'Done' }, default: PROBLEM_RESPONSE },
    ...(needsKeys && endpoint.scope !== null && { security: SECURITY, description: `Needs the scope \`${endpoint.scope}\`.` }),
  }
}

function successOf(endpoint: Endpoint): string {
  if (endpoint.method === 'POST' && endpoint.path === '/replays') return '201'
  if (endpoint.path.endsWith('/replay')) return '202'
  return endpoint.path === '/events' || endpoint.path.startsWith('/ipc/') ? '202' : '200'
}

function requestBodyOf(endpoint: Endpoint): Node {
  if (endpoint.path.startsWith('/ipc/'))
    return { requestBody: { content: { 'application/json': { schema: callSchema({ type: 'object' }) } } } }
  if (endpoint.path !== '/events') return {}
  const event = { $ref: '#/components/schemas/CloudEvent' }
  return {
    requestBody: {
      required: true,
      content: {
        'application/cloudevents+json': { schema: event },
        'application/cloudevents-batch+json': { schema: { type: 'array', items: event } },
      },
    },
  }
}

function actionOperation(plugin: string, action: PluginStatus['actions'][number], needsKeys: boolean): Node {
  return {
    tags: [plugin],
    summary: `The action ${action.name} of the plugin ${plugin}`,
    operationId: `${plugin}.${action.name}`,
    parameters: CALL_HEADERS,
    requestBody: { content: { 'application/json': { schema: callSchema(action.input ?? { type: 'object' }) } } },
    responses: {
      '200': {
        description: 'The outcome, with `Prefer: wait`',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Outcome' } } },
      },
      '202': { description: 'Accepted as a job', content: { 'application/json': { schema: { $ref: '#/components/schemas/Accepted' } } } },
      default: PROBLEM_RESPONSE,
    },
    ...(needsKeys && { security: SECURITY }),
  }
}

function callSchema(payload: object): Node {
  return {
    type: 'object',
    properties: { payload, priority: { type: 'integer', minimum: 0, maximum: 100 }, delay_seconds: { type: 'number', minimum: 0 } },
    additionalProperties: false,
  }
}

const CALL_HEADERS: readonly Node[] = [
  { name: 'Prefer', in: 'header', description: '`wait=SECONDS` (at most 60): answer the outcome', schema: { type: 'string' } },
  { name: 'Idempotency-Key', in: 'header', schema: { type: 'string', minLength: 1, maxLength: 255 } },
]
const SECURITY: readonly Node[] = [{ bearer: [] }, { pluginKey: [] }]
const SECURITY_SCHEMES: Node = {
  bearer: { type: 'http', scheme: 'bearer' },
  pluginKey: { type: 'apiKey', in: 'header', name: 'X-Plugin-Key' },
}
const PROBLEM_RESPONSE: Node = {
  description: 'An error (RFC 9457)',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
}
const TEXT: Node = { type: 'string' }
const SCHEMAS: Node = {
  Accepted: {
    type: 'object',
    required: ['job_id', 'status', 'plugin', 'action'],
    properties: { job_id: { type: 'string', format: 'uuid' }, status: { const: 'queued' }, plugin: TEXT, action: TEXT },
  },
  Outcome: {
    type: 'object',
    required: ['status', 'plugin', 'action', 'job_id', 'result'],
    properties: {
      status: { enum: ['ok', 'error'] },
      plugin: TEXT,
      action: TEXT,
      job_id: { type: 'string', format: 'uuid' },
      result: { type: 'object' },
    },
  },
  Problem: {
    type: 'object',
    required: ['type', 'title', 'status', 'code', 'detail'],
    properties: {
      type: TEXT,
      title: TEXT,
      status: { type: 'integer' },
      code: TEXT,
      detail: TEXT,
      errors: { type: 'array', items: { type: 'object', properties: { path: TEXT, message: TEXT } } },
    },
  },
  CloudEvent: {
    type: 'object',
    required: ['specversion', 'id', 'source', 'type'],
    properties: {
      specversion: { const: '1.0' },
      id: TEXT,
      source: TEXT,
      type: TEXT,
      time: { type: 'string', format: 'date-time' },
      data: {},
    },
  },
}
