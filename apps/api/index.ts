export { createApi } from './server.ts'
export { isLoopback } from './auth.ts'
export type { Api, ApiDeps, ApiKey, ApiMetrics, RateTokens, Readiness, Scope } from './deps.ts'
