import { XCoreError } from '../../../../errors/index.ts'
import { compileGlob } from '../../../../event-log/glob.ts'
import type { Manifest, ResourceVerb } from '../../../../manifest/manifest.ts'

/** Whether the manifest of a sandboxed plugin allows something. In order, first match wins, then deny. */
export type Allowed = (resource: string, verb: ResourceVerb) => boolean

export function permissionsOf(manifest: Manifest): Allowed {
  const rules = (manifest.permissions ?? []).map(({ resource, actions, effect }) => ({ fits: compileGlob(resource), actions, effect }))
  return (resource, verb) => {
    const rule = rules.find(({ fits, actions }) => (actions.includes('*') || actions.includes(verb)) && fits(resource))
    return rule?.effect === 'allow'
  }
}

/** Throws XCoreError `permission_denied` that names the rule to add. */
export function demand(allowed: Allowed, plugin: string, resource: string, verb: ResourceVerb): void {
  if (allowed(resource, verb)) return
  throw new XCoreError(
    'permission_denied',
    `plugin ${plugin} may not ${verb} ${resource}; add \`- resource: '${resource}'\` with \`actions: [${verb}]\` to permissions in plugin.yaml if it should`,
  )
}
