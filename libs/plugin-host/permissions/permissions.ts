import { XCoreError } from '../../errors/index.ts'
import type { Manifest } from '../../manifest/index.ts'
import { compileRules, remembered, type PermissionVerb } from './decide.ts'

/**
 * What one plugin may do, by its manifest. Resources: `db.<schema>`, `cache.<key>`, `plugin:<name>`, `events:<name>`, `service:<name>`,
 * `net:<host>`, `fs:<path>`. A check of something asked before takes well under 1 µs.
 */
export interface Permissions {
  /** Throws XCoreError `permission_denied`, and has the denial counted, logged and kept in the log. */
  check(resource: string, verb: PermissionVerb): void
  /** Only asks: nothing is recorded. */
  allows(resource: string, verb: PermissionVerb): boolean
  /** Like `check`, but a resource that no rule speaks of passes: for doors whose rooms are each checked on their own. */
  checkUnlessUnsaid(resource: string, verb: PermissionVerb): void
}

export interface Denial {
  readonly resource: string
  readonly verb: PermissionVerb
}

/** `onDenied` is called for each denied check; it must not throw. */
export function createPermissions(
  manifest: Pick<Manifest, 'name' | 'permissions' | 'executionMode' | 'source'>,
  onDenied: (denial: Denial) => void,
): Permissions {
  const decide = remembered(compileRules(manifest.permissions, manifest.executionMode))

  function deny(resource: string, verb: PermissionVerb): never {
    onDenied({ resource, verb })
    const told = resource.length > 120 ? `${resource.slice(0, 120)}…` : resource
    throw new XCoreError(
      'permission_denied',
      `plugin ${manifest.name} may not ${verb} ${told}: expected a rule under permissions of ${manifest.source.file} that allows it before one ` +
        `that denies it, found ${manifest.permissions === null ? 'no permissions block' : 'none'}; ` +
        `if it is meant to, add {resource: ${JSON.stringify(told)}, actions: [${verb}], effect: allow}`,
      { details: { plugin: manifest.name, resource: told, verb } },
    )
  }

  return {
    check(resource, verb) {
      if (decide(resource, verb) !== 'allow') deny(resource, verb)
    },
    allows: (resource, verb) => decide(resource, verb) === 'allow',
    checkUnlessUnsaid(resource, verb) {
      if (decide(resource, verb) === 'deny') deny(resource, verb)
    },
  }
}
