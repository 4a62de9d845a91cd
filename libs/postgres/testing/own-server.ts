import { spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { TEST_SERVER_VARIABLE } from './test-server.ts'

let own: Promise<string> | undefined

/** The shared server of `npm test`, or, when a test file runs alone, one of its own that ends with it. */
export async function testServerUrl(): Promise<string> {
  return process.env[TEST_SERVER_VARIABLE] ?? (await (own ??= startOwn()))
}

/**
 * In a process of its own that stops when this one ends: a hook of the test runner would stop the server before the hooks
 * of the test file, which still need it.
 */
async function startOwn(): Promise<string> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'processes', 'server.ts')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const url = await text(child.stdout)
  if (url === '') throw new Error('Expected the test server to start, but it ended; its message is above.')
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
  return url
}
