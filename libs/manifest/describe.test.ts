import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { describeManifest } from './describe.ts'
import { manifestForDisplay } from './display.ts'
import { parseManifest } from './parse.ts'

const FULL = parseManifest(`name: shop
version: 1.2.0
description: Sells things
execution_mode: sandboxed
requires: [users, {name: stock, version: ^2.0}]
permissions:
  - {resource: db.shop, actions: [read, write]}
  - {resource: "net:*", effect: deny}
  - {resource: dbs.x}
env: {SECRET_KEY: hush}
envconfiguration: {inject: true}
resources: {rate_limit: {calls: 5, period_seconds: 2}}
total_concurrency: 2
config: {camelKey: {innerKey: 1}}
http: {auth: required}
allowed_callers: [till]
actions: {sellIt: {replay: unsafe}}
`)

describe('describeManifest', () => {
  test('tells what a plugin may do and its limits', () => {
    assert.deepEqual(describeManifest(FULL), [
      'shop 1.2.0: Sells things',
      'Runs sandboxed from src/main.ts; wants XCore >=2.0.',
      'Loads after users, stock (^2.0).',
      'May read or write db.shop.',
      'May not do anything with net:*.',
      'May do anything with dbs.x.',
      'Everything else is denied; the first line that matches decides.',
      'Each job has 10 s and priority 50; at most 10 run at once in a process, 2 over all.',
      'A job that throws is tried up to 3 times, the pauses growing from 1 s to at most 300 s.',
      'At most 5 calls in 2 s.',
      'Its process may use 128 MB of memory and 50 MB of disk.',
      'Action sellIt: 10 s, priority 50, up to 3 attempts; not safe to replay.',
      'Its environment: SECRET_KEY.',
      'Reads .env into its environment.',
      'Its HTTP routes need a key.',
      'Only these plugins may call it: till.',
      'Warning: no resource is called dbs.x; the kinds are db, cache, plugin, events, service, net, fs.',
    ])
  })

  test('tells what a missing permissions block means in each mode', () => {
    const lines = (mode: string) => describeManifest(parseManifest(`name: x\nversion: 1.0.0\nexecution_mode: ${mode}`)).join('\n')
    assert.match(lines('trusted'), /May use everything/)
    assert.match(lines('sandboxed'), /May use nothing/)
    assert.match(lines('legacy'), /Warning: execution_mode legacy is deprecated/)
  })
})

test('manifestForDisplay has the keys of plugin.yaml and no value of env', () => {
  const shown = manifestForDisplay(FULL)
  assert.doesNotMatch(JSON.stringify(shown), /hush/)
  assert.deepEqual(shown['env'], ['SECRET_KEY'])
  assert.equal(shown['total_concurrency'], 2)
  assert.deepEqual(shown['envconfiguration'], { inject: true, env_file: '.env' })
  assert.deepEqual(shown['resources'], {
    timeout_seconds: 10,
    max_memory_mb: 128,
    max_disk_mb: 50,
    rate_limit: { calls: 5, period_seconds: 2 },
  })
  assert.deepEqual(shown['config'], { camelKey: { innerKey: 1 } })
  assert.deepEqual(Object.keys(Object(shown['actions'])), ['sellIt'])
  assert.equal(shown['execution_mode'], 'sandboxed')
  assert.equal(shown['entry_point'], 'src/main.ts')
  assert.deepEqual(shown['allowed_callers'], ['till'])
  assert.equal(shown['source'], undefined)
})
