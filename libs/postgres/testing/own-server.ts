import { after } from 'node:test'
import { TEST_SERVER_VARIABLE, startTestServer } from './test-server.ts'
import type { TestServer } from './test-server.ts'

let own: Promise<TestServer> | undefined

/** The shared server of `npm test`, or, when a test file runs alone, one of its own that ends with it. */
export async function testServerUrl(): Promise<string> {
  return process.env[TEST_SERVER_VARIABLE] ?? (await (own ??= startTestServer())).url
}

// Registered when the file is loaded, so that it belongs to the whole test file and not to the test that first needs a server.
after(async () => (await own)?.stop())
