import assert from 'node:assert/strict'
import { entries, filled, freshPlugin, ids, put } from '../harness.ts'
import type { ContractCase } from '../harness.ts'

export const claimCases: readonly ContractCase[] = [
  {
    name: 'claims by priority, then by age',
    async run(harness) {
      const queue = await harness.open()
      const plugin = freshPlugin()
      await queue.declare([plugin])
      const wanted: [number, string][] = []
      for (const priority of [50, 0, 100, 50, 7, 100, 50]) {
        const added = entries(plugin, 1, { priority })
        await put(harness, queue, added)
        wanted.push([priority, ids(added).join()])
      }
      const order = wanted.toSorted(([a], [b]) => b - a).map(([, id]) => id)
      // a batch first, then one by one
      assert.deepEqual(new Set(ids(await queue.claim(plugin, 3))), new Set(order.slice(0, 3)))
      const rest: string[] = []
      for (let n = 3; n < order.length; n++) rest.push(...ids(await queue.claim(plugin, 1)))
      assert.deepEqual(rest, order.slice(3))
    },
  },
  {
    name: 'claims no more than it was asked for, and no job twice',
    async run(harness) {
      const queue = await harness.open()
      const { plugin, added } = await filled(harness, queue, 25)
      const sizes: number[] = []
      const seen: string[] = []
      for (const limit of [1, 10, 10, 10, 10]) {
        const claims = await queue.claim(plugin, limit)
        sizes.push(claims.length)
        seen.push(...ids(claims))
        for (const claim of claims) assert.deepEqual([claim.plugin, claim.lost], [plugin, false])
      }
      assert.deepEqual(sizes, [1, 10, 10, 4, 0])
      assert.deepEqual(seen.sort(), ids(added).sort())
    },
  },
  {
    name: 'claimers that race never get the same job',
    async run(harness) {
      const queues = await Promise.all([harness.open(), harness.open(), harness.open()])
      const { plugin, added } = await filled(harness, queues[0], 300)
      const lanes = [...queues, ...queues].map(async (queue) => {
        const mine: string[] = []
        for (;;) {
          const claims = await queue.claim(plugin, 7)
          if (claims.length === 0) return mine
          mine.push(...ids(claims))
        }
      })
      assert.deepEqual((await Promise.all(lanes)).flat().sort(), ids(added).sort())
    },
  },
  {
    name: 'claims of one plugin leave the others’ jobs alone',
    async run(harness) {
      const queue = await harness.open()
      const mine = await filled(harness, queue, 2)
      const theirs = await filled(harness, queue, 2, { priority: 100 })
      assert.deepEqual(ids(await queue.claim(mine.plugin, 10)).sort(), ids(mine.added).sort())
      assert.deepEqual(ids(await queue.claim(theirs.plugin, 10)).sort(), ids(theirs.added).sort())
    },
  },
  {
    name: 'a claim of a queue with nothing in it is empty',
    async run(harness) {
      const queue = await harness.open()
      const plugin = freshPlugin()
      await queue.declare([plugin])
      assert.deepEqual(await queue.claim(plugin, 10), [])
    },
  },
]
