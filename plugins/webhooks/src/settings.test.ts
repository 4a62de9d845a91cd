import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSettings } from './settings.ts'

test('the defaults are safe: no endpoints, public addresses only, no known secret', () => {
  assert.deepEqual(readSettings({ allow_private: false, endpoints: [] }, {}), { allowPrivate: false, masterSecret: '', endpoints: [] })
})

test('the environment gives secrets and leave for private addresses', () => {
  const endpoints = [{ url: 'https://example.com/', events: ['*'], secret_env: 'HOOK_SECRET' }]
  const settings = readSettings({ endpoints }, { WEBHOOKS_SECRET: 's', WEBHOOKS_ALLOW_PRIVATE: 'true', HOOK_SECRET: 'whsec_x' })
  assert.equal(settings.allowPrivate, true)
  assert.equal(settings.masterSecret, 's')
  assert.equal(settings.endpoints[0]?.secret, 'whsec_x')
  assert.throws(() => readSettings({ endpoints }, {}), /HOOK_SECRET/)
})

test('a mistake in the config is named', () => {
  assert.throws(() => readSettings({ allow_private: 'yes' }, {}), /config\/allow_private must be boolean/)
  assert.throws(
    () => readSettings({ endpoints: [{ url: 'https://example.com/' }] }, {}),
    /config\/endpoints\/0 must have required properties events/,
  )
  assert.throws(() => readSettings({ allow_privat: true }, {}), /config/)
})
