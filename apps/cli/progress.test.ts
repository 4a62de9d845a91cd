import assert from 'node:assert/strict'
import { test } from 'node:test'
import { progressLine } from './progress.ts'

test('the line shows the share that is done, and never more than all of it', () => {
  assert.equal(progressLine('Rebuilding', 1, 4), 'Rebuilding [########----------------------] 25 %  1/4')
  assert.match(progressLine('Rebuilding', 0, 4), /\[-{30}\] 0 %/)
  assert.match(progressLine('Rebuilding', 9, 4), /\[#{30}\] 100 %/)
  assert.match(progressLine('Rebuilding', 0, 0), /\[#{30}\] 100 %/)
})
