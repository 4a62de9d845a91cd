import assert from 'node:assert/strict'
import type { PluginName } from '../../../event-log/ids.ts'
import type { Claim, Queue } from '../../port.ts'
import { acknowledge, claimWhenReady, entries, filled, freshPlugin, ids, put } from '../harness.ts'
import type { ContractCase } from '../harness.ts'

/** Claims at every hint until `count` jobs are held: a store that knows nothing yet may let its holders speak first. */
const claimBounded = (queue: Queue, plugin: PluginName, count: number, total: number): Promise<Claim[]> =>
  claimWhenReady({ ...queue, claim: (name, limit) => queue.claim(name, limit, total) }, plugin, count)

export const boundedCases: readonly ContractCase[] = [
  {
    name: 'a bound over all processes: no more are held, whoever claims, and what ends makes room',
    async run(harness) {
      const [a, b] = await Promise.all([harness.open(), harness.open()])
      const { plugin, added } = await filled(harness, a, 30)
      const held = [
        ...(await claimBounded(a, plugin, 2, 3)).map((claim) => ({ holder: a, claim })),
        ...(await claimBounded(b, plugin, 1, 3)).map((claim) => ({ holder: b, claim })),
      ]
      assert.equal((await a.claim(plugin, 10, 3)).length + (await b.claim(plugin, 10, 3)).length, 0)
      const seen = [...held]
      while (seen.length < added.length) {
        const done = held.splice(0, 2)
        for (const { holder, claim } of done) await acknowledge(harness, holder, [claim])
        const racing = await Promise.all(
          [a, b, a, b].map(async (holder) => (await holder.claim(plugin, 10, 3)).map((claim) => ({ holder, claim }))),
        )
        const claims = racing.flat()
        assert.ok(claims.length > 0 && claims.length <= done.length, `${claims.length} were given out where ${done.length} were free`)
        held.push(...claims)
        seen.push(...claims)
      }
      assert.deepEqual(ids(seen.map(({ claim }) => claim)).sort(), ids(added).sort())
    },
  },
  {
    name: 'a bound follows priority, and is told to others by the end of a job',
    async run(harness) {
      const [holder, other] = await Promise.all([harness.open(), harness.open()])
      const { plugin } = await filled(harness, holder, 1, { priority: 10 })
      const first = await claimBounded(holder, plugin, 1, 1)
      const urgent = entries(plugin, 1, { priority: 90 })
      await put(harness, holder, [...entries(plugin, 1, { priority: 20 }), ...urgent])
      const next = claimBounded(other, plugin, 1, 1)
      await acknowledge(harness, holder, first)
      assert.deepEqual(ids(await next), ids(urgent))
    },
  },
  {
    name: 'jobs that are handed back or taken off make room; without a bound all are given out',
    async run(harness) {
      const queue = await harness.open()
      const plugin = freshPlugin()
      await queue.declare([plugin])
      await put(harness, queue, entries(plugin, 6))
      const [one, two] = await claimBounded(queue, plugin, 2, 2)
      assert.ok(one !== undefined && two !== undefined)
      await queue.release([{ claim: one, priority: 100, runAt: new Date(Date.now() + 3_600_000) }])
      await harness.database.transaction((tx) => queue.remove(tx, [two]))
      assert.equal((await claimBounded(queue, plugin, 2, 2)).length, 2)
      // A version whose manifest has no bound.
      assert.equal((await claimWhenReady(queue, plugin, 2)).length, 2)
    },
  },
  {
    name: 'the jobs of a silent holder keep their places until they are found as lost',
    slow: true,
    async run(harness) {
      const [silent, other] = await Promise.all([harness.open(), harness.open()])
      const { plugin } = await filled(harness, silent, 2, { priority: 80 })
      await put(harness, silent, entries(plugin, 2, { priority: 10 }))
      const held = await claimBounded(silent, plugin, 2, 2)
      assert.deepEqual(await other.claim(plugin, 2, 2), [])
      const found = await claimBounded(other, plugin, 2, 2)
      assert.deepEqual(ids(found).sort(), ids(held).sort())
      assert.ok(found.every((claim) => claim.lost))
      assert.deepEqual(await other.claim(plugin, 2, 2), [])
    },
  },
]
