import assert from 'node:assert/strict'
import { test } from 'node:test'
import { METRIC_CATALOGUE } from '../../libs/telemetry/index.ts'
import { tableRows } from './table.ts'

test('docs/metrics.md lists the metric catalogue, word for word', () => {
  const known = Object.values(METRIC_CATALOGUE).map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(' '),
    help,
  ])
  assert.deepEqual(tableRows('metrics.md').map(String).sort(), known.map(String).sort())
})
