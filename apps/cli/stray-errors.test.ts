import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { XCoreError } from '../../libs/errors/index.ts'
import { judgeStrayError } from './stray-errors.ts'

const PLUGINS = '/srv/plug ins'
const OWN = fileURLToPath(new URL('../../', import.meta.url))

function thrownAt(...frames: string[]): Error {
  const error = new Error('oops')
  error.stack = ['Error: oops', ...frames.map((frame) => `    at f (${frame})`)].join('\n')
  return error
}

const judge = (kind: 'exception' | 'rejection', error: unknown, plugin?: string) => judgeStrayError({ kind, error, plugin }, PLUGINS)

test('the asynchronous context names the plugin, whatever the stack says', () => {
  assert.deepEqual(judge('exception', thrownAt(`${OWN}libs/engine/submit.ts:1:1`), 'hello'), { side: 'plugin', plugin: 'hello' })
})

test('a frame in the plugins folder names the plugin, as URL and as path', () => {
  assert.deepEqual(judge('exception', thrownAt('node:internal/timers:1:1', 'file:///srv/plug%20ins/hello/src/main.ts:3:9')), {
    side: 'plugin',
    plugin: 'hello',
  })
  assert.deepEqual(judge('exception', thrownAt('/srv/plug ins/old/main.cjs:3:9')), { side: 'plugin', plugin: 'old' })
})

test("an exception from XCore's own code, or from nowhere, is the platform's", () => {
  assert.deepEqual(judge('exception', thrownAt(`file://${OWN}libs/engine/submit.ts:1:1`)), { side: 'platform' })
  assert.deepEqual(judge('exception', 'a string'), { side: 'platform' })
})

test('a rejection that is an expected failure, or that XCore had no part in, is a forgotten await of some plugin', () => {
  const inOwnCode = `file://${OWN}libs/engine/submit.ts:1:1`
  const expected = new XCoreError('database_unavailable', 'away')
  assert.deepEqual(judge('rejection', expected), { side: 'plugin', plugin: undefined })
  assert.deepEqual(judge('rejection', thrownAt('node:internal/deps/undici:1:1')), { side: 'plugin', plugin: undefined })
  assert.deepEqual(judge('rejection', 'a string'), { side: 'plugin', plugin: undefined })
  assert.deepEqual(judge('rejection', thrownAt(inOwnCode)), { side: 'platform' })
})
