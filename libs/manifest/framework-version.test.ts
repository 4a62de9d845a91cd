import assert from 'node:assert/strict'
import { test } from 'node:test'
import packageJson from '../../package.json' with { type: 'json' }
import { FRAMEWORK_VERSION } from './framework-version.ts'

test('the framework version is the one of package.json', () => {
  assert.equal(FRAMEWORK_VERSION, packageJson.version)
})
