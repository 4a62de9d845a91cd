import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Gate } from './gate.ts'

test('one that is alone is alone, and all get in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 30 }), async (visitors) => {
      const gate = new Gate()
      let inside = 0
      let aloneInside = 0
      await Promise.all(
        visitors.map(async (alone) => {
          const leave = await gate.enter(alone, 10_000)
          assert.ok(leave !== undefined)
          inside += 1
          if (alone) aloneInside += 1
          assert.ok(aloneInside === 0 || inside === 1)
          await new Promise((resolve) => setImmediate(resolve))
          assert.ok(!alone || inside === 1)
          inside -= 1
          if (alone) aloneInside -= 1
          leave()
        }),
      )
      assert.ok((await gate.enter(true, 0)) !== undefined)
    }),
    { numRuns: 50 },
  )
})

test('who waits too long is sent away, and those behind get in', async () => {
  const gate = new Gate()
  const leave = await gate.enter(false, 0)
  const alone = gate.enter(true, 1)
  const behind = gate.enter(false, 10_000)
  assert.equal(await alone, undefined)
  assert.ok((await behind) !== undefined)
  leave?.()
})
