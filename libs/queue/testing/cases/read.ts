import assert from 'node:assert/strict'
import { entries, filled, ids, put } from '../harness.ts'
import type { ContractCase } from '../harness.ts'

export const readCases: readonly ContractCase[] = [
  {
    name: 'held tells who is held and since when',
    async run(harness) {
      const [holder, reader] = await Promise.all([harness.open(), harness.open()])
      const { plugin, added } = await filled(harness, holder, 3)
      const before = Date.now()
      const [claim] = await holder.claim(plugin, 1)
      assert.ok(claim !== undefined)
      const held = await reader.held(added)
      assert.deepEqual([...held.keys()], [claim.jobId])
      const since = held.get(claim.jobId)?.getTime() ?? 0
      assert.ok(since >= before - 1000 && since <= Date.now() + 1000)
      assert.equal((await reader.held([])).size, 0)
    },
  },
  {
    name: 'list pages through waiting or held jobs, newest first',
    async run(harness) {
      const queue = await harness.open()
      const { plugin, added } = await filled(harness, queue, 5)
      const delayed = entries(plugin, 1, { runAt: new Date(Date.now() + 3_600_000) })
      await put(harness, queue, delayed)
      const held = ids(await queue.claim(plugin, 2)).sort()
      const waiting = ids([...added, ...delayed])
        .filter((id) => !held.includes(id))
        .sort()
        .reverse()
      const first = await queue.list({ plugin, held: false, limit: 3 })
      assert.deepEqual(first, waiting.slice(0, 3))
      const last = first.at(-1)
      assert.ok(last !== undefined)
      assert.deepEqual(await queue.list({ plugin, held: false, before: last, limit: 3 }), waiting.slice(3))
      assert.deepEqual(await queue.list({ plugin, held: true, limit: 10 }), held.reverse())
      assert.ok((await queue.list({ held: true, limit: 1000 })).some((id) => id === held[0]))
    },
  },
  {
    name: 'depths counts waiting, delayed and held jobs, and tells the age of the oldest',
    async run(harness) {
      const queue = await harness.open()
      const before = Date.now()
      const { plugin, added } = await filled(harness, queue, 6)
      await put(harness, queue, entries(plugin, 2, { runAt: new Date(Date.now() + 3_600_000) }))
      await queue.claim(plugin, 2)
      const depth = (await queue.depths()).find((each) => each.plugin === plugin)
      assert.deepEqual([depth?.waiting, depth?.delayed, depth?.held], [4, 2, 2])
      const since = depth?.oldestWaitingSince?.getTime() ?? 0
      assert.ok(since >= before - 1000 && since <= Date.now() + 1000, `oldest since ${since}`)
      await harness.database.transaction((tx) => queue.remove(tx, added))
      const rest = (await queue.depths()).find((each) => each.plugin === plugin)
      assert.deepEqual([rest?.waiting, rest?.held, rest?.oldestWaitingSince], [0, 0, null])
    },
  },
]
