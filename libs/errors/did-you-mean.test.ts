import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { didYouMean, nearest } from './did-you-mean.ts'

test('finds the nearest candidate, whatever its case', () => {
  assert.equal(nearest('prot', ['host', 'port']), 'port')
  assert.equal(nearest('LEVEL', ['level']), 'level')
  assert.equal(nearest('logging', ['log', 'limits']), 'log')
  assert.equal(nearest('timeout', ['timeout_seconds', 'retry']), 'timeout_seconds')
  assert.equal(nearest('zebra', ['host', 'port']), undefined)
  assert.equal(nearest('a', ['b', 'cd']), undefined)
})

test('the suggestion can be put after a message', () => {
  assert.equal(didYouMean('prot', ['port']), ' Did you mean "port"?')
  assert.equal(didYouMean('zebra', ['port']), '')
})

test('what it finds is always one of the candidates', () => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.string()), (word, candidates) => {
      const found = nearest(word, candidates)
      assert.ok(found === undefined || candidates.includes(found))
    }),
  )
})
