import type { PluginStatus } from '../../libs/plugin-host/port.ts'
import type { Endpoint } from './handler.ts'
import { platformOperation } from './openapi/platform-operations.ts'
import { pluginPaths } from './openapi/plugin-operations.ts'
import { SCHEMAS, type Node } from './openapi/schemas.ts'

const SECURITY_SCHEMES: Node = {
  bearer: { type: 'http', scheme: 'bearer' },
  pluginKey: { type: 'apiKey', in: 'header', name: 'X-Plugin-Key' },
}

/**
 * An OpenAPI 3.1 document of the platform's endpoints, and of the declared actions and routes of the plugins that are ready.
 * A test holds it against the official schema.
 */
export function openApiDocument(
  endpoints: readonly Endpoint[],
  plugins: readonly PluginStatus[],
  version: string,
  needsKeys: boolean,
): Node {
  const paths: Record<string, Node> = {}
  const add = (path: string, method: string, operation: Node): void => {
    paths[path] = { ...paths[path], [method]: operation }
  }
  for (const endpoint of endpoints) {
    add(endpoint.path.replaceAll(/:(\w+)/g, '{$1}'), endpoint.method.toLowerCase(), platformOperation(endpoint, needsKeys))
  }
  const ready = plugins.filter((plugin) => plugin.state === 'ready')
  for (const plugin of ready) for (const [path, method, operation] of pluginPaths(plugin, needsKeys)) add(path, method, operation)
  return {
    openapi: '3.1.0',
    info: { title: 'XCore', version, description: 'Plugins whose actions and events run as durable jobs.' },
    tags: [...new Set(['platform', ...ready.map((plugin) => plugin.name)])].map((name) => ({ name })),
    paths,
    components: { schemas: SCHEMAS, securitySchemes: SECURITY_SCHEMES },
  }
}
