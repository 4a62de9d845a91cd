import assert from 'node:assert/strict'
import { entries, filled, freshPlugin, ids, put } from '../harness.ts'
import type { ContractCase } from '../harness.ts'

export const enqueueCases: readonly ContractCase[] = [
  {
    name: 'a transaction that rolls back leaves nothing on the queue',
    async run(harness) {
      const queue = await harness.open()
      const plugin = freshPlugin()
      await queue.declare([plugin])
      const lost = entries(plugin, 3)
      await assert.rejects(
        harness.database.transaction(async (tx) => {
          await queue.enqueue(tx, lost)
          throw new Error('changed my mind')
        }),
        /changed my mind/,
      )
      assert.deepEqual(await queue.claim(plugin, 10), [])
      const kept = entries(plugin, 1)
      await put(harness, queue, kept)
      assert.deepEqual(ids(await queue.claim(plugin, 10)), ids(kept))
    },
  },
  {
    name: 'a plugin that another process declared can be enqueued to',
    async run(harness) {
      const [worker, api] = await Promise.all([harness.open(), harness.open()])
      const plugin = freshPlugin()
      await worker.declare([plugin])
      await put(harness, api, entries(plugin, 2))
      assert.equal((await worker.claim(plugin, 10)).length, 2)
    },
  },
  {
    name: 'one transaction enqueues for many plugins',
    async run(harness) {
      const queue = await harness.open()
      const plugins = Array.from({ length: 5 }, freshPlugin)
      await queue.declare(plugins)
      const added = plugins.flatMap((plugin) => entries(plugin, 2))
      await put(harness, queue, added)
      for (const plugin of plugins) {
        const expected = ids(added.filter((entry) => entry.plugin === plugin)).sort()
        assert.deepEqual(ids(await queue.claim(plugin, 10)).sort(), expected)
      }
    },
  },
  {
    name: 'the same id enqueued twice is one job',
    async run(harness) {
      const queue = await harness.open()
      const { plugin, added } = await filled(harness, queue, 1)
      await put(harness, queue, added)
      const claims = await queue.claim(plugin, 10)
      assert.deepEqual(ids(claims), ids(added))
      // also while it is held
      await put(harness, queue, added)
      assert.deepEqual(await queue.claim(plugin, 10), [])
    },
  },
]
