import assert from 'node:assert/strict'
import { claimWhenReady, entries, filled, freshPlugin, ids, put } from '../harness.ts'
import type { ContractCase } from '../harness.ts'

export const wakeCases: readonly ContractCase[] = [
  {
    name: 'a commit in another process calls onReady',
    async run(harness) {
      const [api, worker] = await Promise.all([harness.open(), harness.open()])
      const plugin = freshPlugin()
      await api.declare([plugin])
      const added = entries(plugin, 1)
      const claimed = claimWhenReady(worker, plugin, 1)
      await put(harness, api, added)
      assert.deepEqual(ids(await claimed), ids(added))
    },
  },
  {
    name: 'a process that hears nothing finds jobs by itself',
    async run(harness) {
      const [api, worker] = await Promise.all([harness.open(), harness.open({ deaf: true })])
      const plugin = freshPlugin()
      await api.declare([plugin])
      const added = entries(plugin, 1)
      const claimed = claimWhenReady(worker, plugin, 1)
      await put(harness, api, added)
      assert.deepEqual(ids(await claimed), ids(added))
    },
  },
  {
    name: 'a delayed job waits for its time, then comes without being announced',
    async run(harness) {
      const queue = await harness.open()
      const runAt = new Date(Date.now() + 1_500)
      const { plugin, added } = await filled(harness, queue, 1, { runAt, priority: 100 })
      const now = entries(plugin, 1, { priority: 0 })
      await put(harness, queue, now)
      assert.deepEqual(ids(await queue.claim(plugin, 10)), ids(now))
      assert.deepEqual(ids(await claimWhenReady(queue, plugin, 1)), ids(added))
      assert.ok(Date.now() >= runAt.getTime(), `claimed ${runAt.getTime() - Date.now()} ms early`)
    },
  },
  {
    name: 'a listener that was removed is called no more',
    async run(harness) {
      const queue = await harness.open()
      const plugin = freshPlugin()
      await queue.declare([plugin])
      let calls = 0
      queue.onReady(plugin, () => calls++)()
      await put(harness, queue, entries(plugin, 1))
      assert.equal((await claimWhenReady(queue, plugin, 1)).length, 1)
      assert.equal(calls, 0)
    },
  },
]
