export { ERROR_CATALOGUE, isErrorCode } from './catalogue.ts'
export type { ErrorCode } from './catalogue.ts'
export { XCoreError, messageOf } from './xcore-error.ts'
export type { Issue, XCoreErrorOptions } from './xcore-error.ts'
