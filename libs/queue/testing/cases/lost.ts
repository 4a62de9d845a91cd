import assert from 'node:assert/strict'
import type { Claim } from '../../port.ts'
import { acknowledge, claimWhenReady, entries, filled, ids, put } from '../harness.ts'
import type { ContractCase, QueueHarness } from '../harness.ts'

/** Fails when `work` takes longer than a silent holder may stay unnoticed. */
async function withinLimit<T>(harness: QueueHarness, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new Error(`the silent holder was not found within ${harness.lostAfterSeconds} s`)),
    harness.lostAfterSeconds * 1000,
  )
  return Promise.race([work, late.promise]).finally(() => clearTimeout(timer))
}

export const lostCases: readonly ContractCase[] = [
  {
    name: 'the jobs of a silent holder are claimed elsewhere as lost; heartbeats keep a job',
    slow: true,
    async run(harness) {
      const [holder, other] = await Promise.all([harness.open(), harness.open()])
      const { plugin } = await filled(harness, holder, 3)
      const claims = await holder.claim(plugin, 3)
      const [kept, ...silent] = claims
      assert.ok(kept !== undefined)
      let beating = Promise.resolve()
      const beat = setInterval(() => (beating = holder.heartbeat([kept])), 1000)
      try {
        const found = await withinLimit(harness, claimWhenReady(other, plugin, 2))
        assert.deepEqual(ids(found).sort(), ids(silent).sort())
        assert.ok(found.every((claim) => claim.lost))
        assert.deepEqual([...(await other.held([kept])).keys()], [kept.jobId])
        await takenOver(harness, other, found)
      } finally {
        clearInterval(beat)
        await beating
      }
    },
  },
  {
    name: 'the jobs of a stopped queue are claimed elsewhere as lost',
    slow: true,
    async run(harness) {
      const [stopped, other] = await Promise.all([harness.open(), harness.open()])
      const { plugin, added } = await filled(harness, stopped, 2)
      await stopped.claim(plugin, 2)
      await stopped.stop()
      const found = await withinLimit(harness, claimWhenReady(other, plugin, 2))
      assert.deepEqual(ids(found).sort(), ids(added).sort())
      assert.ok(found.every((claim) => claim.lost))
    },
  },
  {
    name: 'a job that is lost keeps its priority',
    slow: true,
    async run(harness) {
      const [silent, other] = await Promise.all([harness.open(), harness.open()])
      const { plugin, added } = await filled(harness, silent, 1, { priority: 80 })
      await silent.claim(plugin, 1)
      const found = Promise.withResolvers<void>()
      // Held by nobody any more: it waits again, with others of lower priority.
      await put(harness, other, entries(plugin, 1, { priority: 10 }))
      const off = other.onReady(plugin, () => void other.held(added).then((held) => held.size === 0 && found.resolve(), found.reject))
      await withinLimit(harness, found.promise).finally(off)
      assert.deepEqual(ids(await other.claim(plugin, 1)), ids(added))
    },
  },
]

/** After it was taken over, a job is an ordinary one again: given back it is not lost, and settled it is gone. */
async function takenOver(harness: QueueHarness, queue: Awaited<ReturnType<QueueHarness['open']>>, found: readonly Claim[]): Promise<void> {
  const [one, two] = found
  assert.ok(one !== undefined && two !== undefined)
  await queue.release([{ claim: one, priority: 50, runAt: new Date() }])
  assert.deepEqual(await claimWhenReady(queue, one.plugin, 1), [{ ...one, lost: false }])
  await acknowledge(harness, queue, [one, two])
  assert.equal((await queue.held([one, two])).size, 0)
}
