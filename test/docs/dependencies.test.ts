import assert from 'node:assert/strict'
import { test } from 'node:test'
import manifest from '../../package.json' with { type: 'json' }
import { tableRows } from './table.ts'

const declared: Record<string, string> = { ...manifest.dependencies, ...manifest.devDependencies }

test('docs/dependencies.md tells of every dependency in package.json, and of no other', () => {
  const documented = tableRows('dependencies.md').map(([name = '']) => name.replaceAll('`', ''))
  assert.deepEqual(documented.sort(), Object.keys(declared).sort())
})

test('every dependency is pinned to one version', () => {
  for (const [name, version] of Object.entries(declared)) {
    assert.match(version, /^(npm:.+@)?\d+\.\d+\.\d+(-[\w.]+)?$/, name)
  }
})

test('every row says why and what else was looked at', () => {
  for (const [name = '', why = '', others = ''] of tableRows('dependencies.md')) {
    assert.ok(why !== '' && others !== '', name)
  }
})
