export { testServerUrl } from './own-server.ts'
export { testDatabase } from './test-database.ts'
export type { TestDatabase, TestDatabaseOptions } from './test-database.ts'
export { TEST_SERVER_VARIABLE, startTestServer, testLogger } from './test-server.ts'
