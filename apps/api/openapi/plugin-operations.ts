import type { ActionInfo, PluginStatus, RouteInfo } from '../../../libs/plugin-host/port.ts'
import { CALL_HEADERS, SECURITY, callSchema } from './platform-operations.ts'
import { CALL_CODES, KEY_CODES, OUTCOME_CODES, PROBLEM, answer, callProblems, problems } from './responses.ts'
import { json, ref, type Node } from './schemas.ts'

/** Patterns beyond plain parameters have no path in OpenAPI. */
const PLAIN_PATH = /^(?:\/(?::?[\w.~-]+)?)*$/

/** Paths of a plugin that is ready: its declared actions, and its routes that declare schemas. */
export function pluginPaths(
  plugin: PluginStatus,
  needsKeys: boolean,
): readonly (readonly [path: string, method: string, operation: Node])[] {
  const actions = plugin.actions.map(
    (action) =>
      [`/ipc/${plugin.name}/${encodeURIComponent(action.name)}`, 'post', actionOperation(plugin.name, action, needsKeys)] as const,
  )
  const guarded = needsKeys && needsKeyFor(plugin)
  const routes = (plugin.routes ?? [])
    .filter(({ path }) => PLAIN_PATH.test(path))
    .map(
      (route) =>
        [
          `/plugins/${plugin.name}${templated(route.path)}`,
          route.method.toLowerCase(),
          routeOperation(plugin.name, route, guarded),
        ] as const,
    )
  return [...actions, ...routes]
}

function actionOperation(plugin: string, { name, input, output, description }: ActionInfo, needsKeys: boolean): Node {
  const id = `${plugin}.${name}`
  const fields = output === null || output === undefined ? {} : { allOf: [embedded(output, `${id}.output`)] }
  const outcome = {
    allOf: [
      ref('Outcome'),
      { type: 'object', properties: { result: { type: 'object', properties: { status: { const: 'ok' } }, ...fields } } },
    ],
  }
  return {
    tags: [plugin],
    summary: description ?? `The action ${name} of the plugin ${plugin}`,
    operationId: id,
    parameters: CALL_HEADERS,
    requestBody: json(callSchema(embedded(input ?? { type: 'object' }, `${id}.input`))),
    responses: {
      '200': answer('The outcome, with `Prefer: wait`', output === null || output === undefined ? ref('Outcome') : outcome),
      '202': answer('Accepted as a job', ref('Accepted')),
      ...callProblems([...(needsKeys ? KEY_CODES : []), ...CALL_CODES], OUTCOME_CODES),
      default: PROBLEM,
    },
    ...(needsKeys && { security: SECURITY }),
  }
}

function routeOperation(plugin: string, route: RouteInfo, guarded: boolean): Node {
  const id = `${plugin}.${route.method.toLowerCase()}${route.path.replaceAll(/[/:]+/g, '_')}`
  const names = [...route.path.matchAll(/:(\w+)/g)].map((match) => match[1] ?? '')
  const parameters = [
    ...names.map((name) => ({ name, in: 'path', required: true, schema: propertyOf(route.params, name) })),
    ...Object.keys(propertiesOf(route.query)).map((name) => ({
      name,
      in: 'query',
      required: requiredOf(route.query).includes(name),
      schema: propertyOf(route.query, name),
    })),
  ]
  const checked = route.params !== null || route.query !== null || route.body !== null
  const success = route.response === null ? { description: 'Done' } : answer('Done', embedded(route.response, `${id}.response`))
  return {
    tags: [plugin],
    summary: route.summary ?? `${route.method} ${route.path} of the plugin ${plugin}`,
    operationId: id,
    ...(parameters.length > 0 && { parameters }),
    ...(route.body !== null && { requestBody: { required: true, ...json(embedded(route.body, `${id}.body`)) } }),
    responses: {
      [String(route.status)]: success,
      ...problems([
        ...(guarded ? KEY_CODES : []),
        ...(checked ? (['validation_error'] as const) : []),
        'rate_limit_exceeded',
        'timeout',
        'not_ready',
      ]),
      default: PROBLEM,
    },
    ...(guarded && { security: SECURITY }),
  }
}

/** References inside of a schema are meant from its own root: a name of its own keeps them so. */
function embedded(schema: object, id: string): Node {
  if ('$id' in schema || !JSON.stringify(schema).includes('"$ref"')) return { ...schema }
  return { $id: `urn:xcore:${id}`, ...schema }
}

function templated(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}')
}

function needsKeyFor({ manifest }: PluginStatus): boolean {
  const http = manifest?.['http']
  return typeof http === 'object' && http !== null && 'auth' in http && http.auth === 'required'
}

function propertiesOf(schema: object | null): Node {
  const properties = schema !== null && 'properties' in schema ? schema.properties : undefined
  return typeof properties === 'object' && properties !== null ? { ...properties } : {}
}

function propertyOf(schema: object | null, name: string): Node {
  const property = propertiesOf(schema)[name]
  return typeof property === 'object' && property !== null ? { ...property } : { type: 'string' }
}

function requiredOf(schema: object | null): readonly unknown[] {
  return schema !== null && 'required' in schema && Array.isArray(schema.required) ? schema.required : []
}
