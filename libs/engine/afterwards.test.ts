import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Afterwards } from './afterwards.ts'

const settled = async (promise: Promise<void>): Promise<boolean> => {
  let done = false
  void promise.then(() => (done = true))
  await new Promise((resolve) => setImmediate(resolve))
  return done
}

test('nobody waits until the bound is reached; then for one to end, and at the end for all', async () => {
  const afterwards = new Afterwards(2)
  const [one, two] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  assert.equal(await settled(afterwards.follow(one.promise)), true)
  const second = afterwards.follow(two.promise)
  assert.equal(await settled(second), false)
  const end = afterwards.drained()
  one.resolve()
  assert.equal(await settled(second), true)
  assert.equal(await settled(end), false)
  two.resolve()
  assert.equal(await settled(end), true)
  assert.equal(await settled(afterwards.drained()), true)
})
