import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from './logger.ts'
import { sparing } from './sparing.ts'

test('the same warning comes every ten seconds, another one at once', () => {
  const lines: string[] = []
  let time = 5
  const destination = { write: (line: string) => void lines.push(line) }
  const warn = sparing(createLogger({ level: 'warn', destination }), () => time)
  for (const [at, message] of [
    [5, 'away'],
    [6, 'away'],
    [6, 'full'],
    [10_004, 'away'],
    [10_005, 'away'],
    [10_006, 'full'],
  ] as const) {
    time = at
    warn({ at }, message)
  }
  const told = lines.map((line): unknown => JSON.parse(line)).map((entry) => [Object(entry).at, Object(entry).msg])
  assert.deepEqual(told, [
    [5, 'away'],
    [6, 'full'],
    [10_005, 'away'],
    [10_006, 'full'],
  ])
})
