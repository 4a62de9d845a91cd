import type { Manifest } from '../../../../manifest/manifest.ts'
import { compileRules, remembered } from '../../../permissions/decide.ts'
import type { Permissions } from '../../../permissions/permissions.ts'

/** Tells plugin code what its manifest allows. Checks are left to the host, which counts and logs what it denies. */
export function innerPermissions(manifest: Manifest): Permissions {
  const decide = remembered(compileRules(manifest.permissions, 'sandboxed'))
  return {
    allows: (resource, verb) => decide(resource, verb) === 'allow',
    check: () => {},
    checkUnlessUnsaid: () => {},
  }
}
