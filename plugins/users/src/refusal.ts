import { MAX_USERS } from './directory.ts'
import type { Refusal } from './directory.ts'

/** Code, status and words of a refusal; routes and actions answer the same. */
export function explain(refusal: Refusal): { readonly code: string; readonly statusCode: number; readonly message: string } {
  switch (refusal.kind) {
    case 'taken':
      return { code: `${refusal.field}_taken`, statusCode: 409, message: `another user has this ${refusal.field}` }
    case 'missing':
      return { code: 'not_found', statusCode: 404, message: 'User not found' }
    case 'full':
      return { code: 'users_full', statusCode: 507, message: `expected at most ${MAX_USERS} users; delete some first` }
  }
}
