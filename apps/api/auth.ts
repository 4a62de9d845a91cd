export { createAuthorize, isLoopback, requireLoopback } from '../platform/auth.ts'
export type { Authorize } from '../platform/auth.ts'
export { AuthRefused, createAuthWatch } from '../platform/auth-failures.ts'
