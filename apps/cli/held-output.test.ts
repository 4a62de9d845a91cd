import assert from 'node:assert/strict'
import { test } from 'node:test'
import { holdOutput } from './held-output.ts'

test('the urgent line goes first, then what was held in its order, then everything at once', () => {
  const written: string[] = []
  const output = holdOutput({ write: (line) => void written.push(line) })
  output.write('a')
  output.write('b')
  assert.deepEqual(written, [])
  output.release(() => output.write('url'))
  output.write('c')
  output.release()
  assert.deepEqual(written, ['url', 'a', 'b', 'c'])
})
