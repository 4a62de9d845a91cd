import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONFIG_KEYS, KEYS } from '../../libs/config/index.ts'
import { tableRows } from './table.ts'

test('docs/configuration.md lists every key with its environment variable and default', () => {
  const known = CONFIG_KEYS.map((key) => {
    const { env, default: value } = KEYS[key]
    return [
      `\`${key}\``,
      env === null ? '' : `\`${env}\``,
      value === null ? '' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``,
    ]
  })
  const documented = tableRows('configuration.md').map((cells) => cells.slice(0, 3))
  assert.deepEqual(documented.map(String).sort(), known.map(String).sort())
})
