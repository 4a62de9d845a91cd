import { sendJson, type ApiContext, type ApiScope, type Endpoint } from '../handler.ts'

/** What each version of a plugin that was ever ready declared: `xcore plugin validate --against VERSION` compares with it. */
export function pluginVersionsEndpoint(api: ApiScope): Endpoint {
  return {
    method: 'GET',
    path: '/admin/plugins/:name/versions',
    summary: 'The versions of a plugin that were loaded so far, newest first, with the actions that they declared',
    scope: 'read',
    handle: (ctx, params) => list(api, ctx, params['name'] ?? ''),
  }
}

async function list(api: ApiScope, ctx: ApiContext, name: string): Promise<void> {
  const versions = await api.versions.list(name)
  sendJson(ctx, 200, {
    plugin: name,
    versions: versions.map(({ version, firstSeen, actions }) => ({ version, first_seen: firstSeen, actions })),
  })
}
